// The page's logic: which view the address shows (#/channels?match=room-*), reading it, telling what happens, and where
// the focus goes. The views are in views.js, channel.js and lookup.js; each is an object with `title(query)`, `draw(query, scene)`,
// which resolves to elements if it has not drawn them by `scene.draw`, and `heading(query)` if that is more than the title.

import { ask } from './api.js';
import { channel } from './channel.js';
import { problems, user } from './lookup.js';
import { nameOf, plain } from './text.js';
import { channels, frontends, overview } from './views.js';

const VIEWS = { '': overview, frontends, channels, channel, user, problems };

/** Which entry of the navigation a view without one of its own belongs to. */
const BELONGS = { channel: 'channels' };

const find = (part) => document.querySelector(`[data-part="${part}"]`);

/** Returns `{view, query}` of the address. */
function place() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  return { view: path, query: Object.fromEntries(new URLSearchParams(query)) };
}

class Page {
  /** Gives up what the view before has asked, and its live events. */
  #leaving = new AbortController();

  start() {
    addEventListener('hashchange', () => this.show({ focus: true }));
    find('refresh').addEventListener('click', () => this.show({ focus: false }));
    find('skip').addEventListener('click', (event) => {
      // Its target is not a view's address.
      event.preventDefault();
      document.getElementById('main').focus();
    });
    this.show({ focus: false });
  }

  /** Says something without moving the focus: to the eye, and to screen readers. */
  say(text) {
    find('status').textContent = text;
  }

  /** Reads and draws the view of the address; `focus`: moves it to the heading of the view, as a new page would. */
  async show({ focus }) {
    this.#leaving.abort();
    this.#leaving = new AbortController();
    const { signal } = this.#leaving;
    this.#describe();
    const { view, query } = place();
    const shown = Object.hasOwn(VIEWS, view) ? VIEWS[view] : VIEWS[''];
    const title = plain(shown.title(query));
    this.#mark(view);
    document.title = `${title} · Global channel inspector`;
    find('heading').replaceChildren(...(shown.heading?.(query) ?? [title]));
    this.say('Reading …');
    find('view').setAttribute('aria-busy', 'true');
    find('view').dataset.address = location.hash;
    let hasFocus = !focus;
    const draw = (elements) => {
      if (signal.aborted) return;
      find('view').replaceChildren(...elements);
      if (hasFocus) return;
      // Once: what is drawn early may have the focus by the time that the rest comes.
      hasFocus = true;
      find('heading').focus();
      scrollTo(0, 0);
    };
    const scene = {
      signal,
      draw,
      say: (text) => signal.aborted || this.say(text),
      ask: (action, parameters) => ask(action, parameters, signal),
      reload: () => this.show({ focus: false }),
    };
    let problem = '';
    try {
      const elements = await shown.draw(query, scene);
      if (elements) draw(elements);
    } catch (error) {
      problem = error.message;
      draw([]);
    }
    if (signal.aborted) return;
    find('problem').textContent = problem;
    find('problem').hidden = problem === '';
    find('view').removeAttribute('aria-busy');
    this.say('');
  }

  #mark(view) {
    const current = `#/${BELONGS[view] ?? view}`;
    for (const link of find('nav').querySelectorAll('a')) {
      if (link.getAttribute('href') === current) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  }

  /** Says which store it is, once that is known. */
  async #describe() {
    if (find('store').hasChildNodes()) return;
    const about = await ask('about').catch(() => null);
    if (about === null) return;
    const { name, prefix } = about;
    find('store').replaceChildren('Read only: ', nameOf(name), ', prefix ', nameOf(prefix));
  }
}

new Page().start();
