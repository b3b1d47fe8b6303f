// The page's elements: created once from the templates of index.html, then updated. Input goes to the handlers of page.js.

import { channelMembers, outcome } from './words.js';

const KEPT_MESSAGES = 50;

const STATES = {
  up: 'up',
  leaving: 'killed, the others are noticing',
  down: 'dead',
  starting: 'starting',
};

const find = (part, root = document) => root.querySelector(`[data-part="${part}"]`);

/** Copies the only element of a template. */
const stamp = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

/** Changes only what differs, so that focus and selection are kept. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Replaces the items of a list only if their text has changed. */
function setItems(list, items) {
  const key = JSON.stringify(items);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(
    ...items.map(({ title, text, mark }) => {
      const item = document.createElement('li');
      if (title)
        item.append(Object.assign(document.createElement('strong'), { textContent: title }));
      item.append(text);
      item.className = mark ?? '';
      return item;
    }),
  );
}

function onSubmit(form, act) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    act(form.elements);
    form.elements.text.value = '';
    form.elements.text.focus();
  });
}

export class View {
  constructor(handlers) {
    this.handlers = handlers;
    this.connectors = new Map();
    this.users = new Map();
    this.channels = new Map();
  }

  build({ plugin, store, connectors, chats, channels }, users) {
    setText(find('plugin'), plugin);
    setText(find('store'), store);
    const names = channels.map(({ name }) => name);
    const push = find('push');
    push.elements.chat.append(...chats.map((id) => new Option(id)));
    push.elements.channel.append(...names.map((name) => new Option(name)));
    onSubmit(push, ({ chat, channel, text }) =>
      this.handlers.push(chat.value, channel.value, text.value),
    );
    for (const name of names) this.#addChannel(name);
    for (const { id } of connectors) this.#addConnector(id);
    for (const user of users) this.#addUser(user, names);
  }

  #addChannel(name) {
    const element = stamp('channel');
    setText(find('name', element), name);
    this.channels.set(name, element);
    find('channels').append(element);
  }

  #addConnector(id) {
    const element = stamp('connector');
    element.dataset.id = id;
    setText(find('id', element), id);
    find('switch', element).addEventListener('click', ({ currentTarget }) => {
      if (currentTarget.getAttribute('aria-disabled') === 'true') return;
      this.handlers[element.dataset.state === 'up' ? 'kill' : 'revive'](id);
    });
    this.connectors.set(id, element);
    find('connectors').append(element);
  }

  #addUser(user, channels) {
    const element = stamp('user');
    const { uid } = user;
    element.dataset.uid = uid;
    setText(find('uid', element), uid);
    setText(find('chat', element), user.chat);
    find('messages', element).setAttribute('aria-label', `Messages of ${uid}`);
    setText(find('memberships', element).querySelector('legend'), `Channels of ${uid}`);
    for (const channel of channels) {
      const label = stamp('membership');
      const box = label.querySelector('input');
      box.checked = user.channels.has(channel);
      box.addEventListener('change', () => this.handlers.member(user, channel, box.checked));
      label.append(channel);
      find('memberships', element).append(label);
    }
    const say = find('say', element);
    say.elements.channel.append(...channels.map((name) => new Option(name)));
    say.elements.channel.setAttribute('aria-label', `Channel that ${uid} speaks in`);
    say.elements.text.setAttribute('aria-label', `Message of ${uid}`);
    onSubmit(say, ({ channel, text }) => this.handlers.say(user, channel.value, text.value));
    find('connection', element).addEventListener('click', () => this.handlers.connection(user));
    this.users.set(uid, element);
    find('users', this.connectors.get(user.connector)).append(element);
  }

  show({ connectors, channels }, users, pushes) {
    for (const connector of connectors) this.#showConnector(connector);
    for (const user of users) {
      const connector = connectors.find(({ id }) => id === user.connector);
      this.#showUser(user, connector.state === 'up');
    }
    for (const channel of channels) {
      const items = channelMembers(channel, users);
      const element = this.channels.get(channel.name);
      setText(find('count', element), String(items.length));
      setItems(find('members', element), items);
    }
    setItems(find('pushes'), pushes.map(outcome));
    find('no-pushes').hidden = pushes.length > 0;
  }

  #showConnector({ id, pid, state }) {
    const element = this.connectors.get(id);
    element.dataset.state = state;
    setText(find('state', element), STATES[state]);
    setText(find('pid', element), state === 'up' ? `pid ${pid}` : '');
    const button = find('switch', element);
    const verb = state === 'up' || state === 'leaving' ? 'Kill' : 'Bring back';
    setText(button, verb);
    button.setAttribute('aria-label', `${verb} ${id}`);
    // Not `disabled`, which would lose the focus.
    button.setAttribute('aria-disabled', String(state !== 'up' && state !== 'down'));
    find('dead', element).hidden = state === 'up' || state === 'starting';
  }

  #showUser(user, canConnect) {
    const element = this.users.get(user.uid);
    element.dataset.state = user.state;
    setText(find('state', element), user.state);
    const connection = find('connection', element);
    const verb = user.wanted ? 'Disconnect' : 'Connect';
    connection.hidden = !canConnect;
    setText(connection, verb);
    connection.setAttribute('aria-label', `${verb} ${user.uid}`);
    for (const field of element.querySelectorAll('fieldset')) {
      field.disabled = user.state !== 'online';
    }
  }

  addMessage({ uid }, { text, from, ms }) {
    const item = stamp('message');
    setText(find('from', item), from);
    setText(find('text', item), text);
    setText(find('ms', item), ms === undefined ? '' : `${ms.toFixed(1)} ms`);
    const list = find('messages', this.users.get(uid));
    list.append(item);
    if (list.childElementCount > KEPT_MESSAGES) list.firstElementChild.remove();
    list.scrollTop = list.scrollHeight;
  }

  /** Shows an error message; an empty text removes it. */
  showProblem(text) {
    const alert = find('problem');
    alert.hidden = text === '';
    setText(alert, text);
  }
}
