// The page's logic: polls the state of the cluster, keeps the users connected, sends what is typed, and counts what
// arrives. The elements are in view.js, a user's connection is in user.js.

import { User } from './user.js';
import { View } from './view.js';

const USERS = 6;
const POLL = 500;
const KEPT_PUSHES = 6;
const ENDED = 'The demo does not answer: it has ended. Start it again, and reload this page.';

async function ask(action, body) {
  const options = body && { method: 'POST', body: JSON.stringify(body) };
  const response = await fetch(`/api/${action}`, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

class Page {
  constructor() {
    this.users = [];
    /** The latest pushes, newest first: `{n, by, channel, text, start, times, answer}`. */
    this.pushes = [];
    this.drawing = false;
    this.view = new View({
      push: (chat, channel, text) => this.pushFrom(chat, channel, text),
      say: (user, channel, text) => this.sayAs(user, channel, text),
      member: this.telling((user, channel, wanted) => this.setMember(user, channel, wanted)),
      connection: this.telling((user) => this.setConnection(user)),
      kill: this.telling((connector) => this.change('kill', connector)),
      revive: this.telling((connector) => this.change('revive', connector)),
    });
  }

  async start() {
    const state = await ask('state');
    const { connectors, chats } = state;
    for (let n = 0; n < USERS; n++) {
      const connector = connectors[n % connectors.length].id;
      const chat = chats[Math.floor(n / connectors.length) % chats.length];
      const user = new User(`user-${n + 1}`, connector, chat, {
        onMessage: (...args) => this.arrived(...args),
        onChange: () => this.draw(),
      });
      user.channels.add('world');
      if (n % 2 === 0) user.channels.add('guild');
      this.users.push(user);
    }
    this.view.build(state, this.users);
    await this.poll();
  }

  /** Wraps an action so that its error is shown on the page. */
  telling(act) {
    return async (...args) => {
      try {
        this.view.showProblem('');
        await act(...args);
      } catch (error) {
        this.view.showProblem(error.message);
      }
    };
  }

  async poll() {
    try {
      await this.refresh();
      if (this.ended) this.view.showProblem('');
      this.ended = false;
    } catch {
      this.view.showProblem(ENDED);
      this.ended = true;
    }
    setTimeout(() => this.poll(), POLL);
  }

  async refresh() {
    this.state = await ask('state');
    for (const user of this.users) {
      const connector = this.state.connectors.find(({ id }) => id === user.connector);
      if (user.wanted && user.state === 'gone' && connector.state === 'up') user.connect(connector);
    }
    this.draw();
  }

  /** Schedules an update of the page, at most one per frame. */
  draw() {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.view.show(this.state, this.users, this.pushes);
    });
  }

  pushFrom(chat, channel, text) {
    return this.follow({ by: chat, channel, text }, async (n) => {
      const { failed } = await ask('push', { chat, channel, n, text });
      return failed;
    });
  }

  sayAs(user, channel, text) {
    return this.follow({ by: user.uid, channel, text }, (n) => user.say(channel, n, text));
  }

  /** Records a push before it is made, since messages may arrive before its answer. */
  async follow(what, send) {
    const [n] = crypto.getRandomValues(new Uint32Array(1));
    const push = { ...what, n, start: performance.now(), times: [] };
    this.pushes = [push, ...this.pushes].slice(0, KEPT_PUSHES);
    try {
      const failed = await send(n);
      await this.refresh();
      push.answer = { failed, left: this.leftOut(push.channel) };
    } catch (error) {
      push.answer = { error: error.message };
    }
    this.draw();
  }

  /** Returns the members whose connector is not in the cluster now: a push does not reach them. */
  leftOut(channel) {
    const { members } = this.state.channels.find(({ name }) => name === channel);
    const down = this.state.connectors.filter(({ state }) => state !== 'up');
    return down.flatMap(({ id }) => members[id]);
  }

  arrived(user, { n, text, from }) {
    const push = this.pushes.find((one) => one.n === n);
    const ms = push && performance.now() - push.start;
    push?.times.push({ uid: user.uid, ms });
    this.view.addMessage(user, { text, from, ms });
    this.draw();
  }

  async setMember(user, channel, wanted) {
    await (wanted ? user.join(channel) : user.leave(channel));
    await this.refresh();
  }

  async setConnection(user) {
    if (user.wanted) user.disconnect();
    else user.wanted = true;
    await this.refresh();
  }

  async change(action, connector) {
    const done = ask(action, { connector });
    await this.refresh();
    await done;
    await this.refresh();
  }
}

new Page().start();
