// One user on the page: a real pomelo client with a socket of its own, in a hidden frame. Connects,
// enters and joins; tells of messages and of changes. What is shown of it is in view.js.

const ENTER = 'connector.entryHandler.enter';
const CHAT = 'chat.chatHandler';

export class User {
  /**
   * `onMessage(user, message)` is called for each message as it comes, `onChange(user)` when
   * `state` has changed.
   */
  constructor(uid, connector, chat, { onMessage, onChange }) {
    this.uid = uid;
    this.connector = connector;
    this.chat = chat;
    this.onMessage = onMessage;
    this.onChange = onChange;
    /** The channels that it joins whenever it has connected. */
    this.channels = new Set();
    /** False: the user went away and is not to be connected again. */
    this.wanted = true;
    /** `gone`, `connecting` or `online`. */
    this.state = 'gone';
    this.waiting = new Set();
  }

  async connect({ host, clientPort }) {
    this.#become('connecting');
    try {
      this.pomelo = await this.#openWindow();
      await this.#settled((done) => this.pomelo.init({ host, port: clientPort, user: {} }, done));
      await this.#request(ENTER, { uid: this.uid, chat: this.chat });
      await Promise.all([...this.channels].map((channel) => this.join(channel)));
      this.#become('online');
    } catch {
      // Its connector died or is not ready yet; page.js tries again.
      this.#close();
    }
  }

  disconnect() {
    this.wanted = false;
    this.#close();
  }

  join(channel) {
    this.channels.add(channel);
    return this.#request(`${CHAT}.join`, { channel });
  }

  leave(channel) {
    this.channels.delete(channel);
    return this.#request(`${CHAT}.leave`, { channel });
  }

  /** Returns the users whom the message did not reach. */
  async say(channel, n, text) {
    const { failed } = await this.#request(`${CHAT}.say`, { channel, n, text });
    return failed;
  }

  /** A new one for each connection: what is left of the last one, such as timers, ends with it. */
  async #openWindow() {
    this.frame = document.createElement('iframe');
    this.frame.hidden = true;
    this.frame.title = `The connection of ${this.uid}`;
    this.frame.src = '/socket.html';
    const loaded = new Promise((resolve) => {
      this.frame.addEventListener('load', resolve, { once: true });
    });
    document.body.append(this.frame);
    await loaded;
    const { pomelo } = this.frame.contentWindow;
    pomelo.on('onChat', (message) => this.onMessage(this, message));
    for (const event of ['close', 'heartbeat timeout', 'onKick']) {
      pomelo.on(event, () => this.#close());
    }
    return pomelo;
  }

  /** Sends a request; an answer that is no success is an error. */
  async #request(route, msg) {
    const answer = await this.#settled((done) => this.pomelo.request(route, msg, done));
    if (answer.code !== 200) throw new Error(answer.message ?? `code ${answer.code}`);
    return answer;
  }

  /** Waits for a callback, which pomelo's client does not call when the socket ends before. */
  #settled(begin) {
    return new Promise((resolve, reject) => {
      const entry = { reject };
      this.waiting.add(entry);
      begin((value) => {
        this.waiting.delete(entry);
        resolve(value);
      });
    });
  }

  #close() {
    this.frame?.remove();
    for (const { reject } of this.waiting) reject(new Error('the connection was closed'));
    this.waiting.clear();
    this.#become('gone');
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.onChange(this);
  }
}
