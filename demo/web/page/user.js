// A user on the page: a real pomelo client with its own socket, in a hidden frame. Connects, enters and joins; reports
// messages and changes of its state.

const ENTER = 'connector.entryHandler.enter';
const CHAT = 'chat.chatHandler';

export class User {
  /**
   * `onMessage(user, message)` is called for each message, `onChange(user)` when `state` has changed.
   */
  constructor(uid, connector, chat, { onMessage, onChange }) {
    this.uid = uid;
    this.connector = connector;
    this.chat = chat;
    this.onMessage = onMessage;
    this.onChange = onChange;
    /** The channels that it joins at each connection. */
    this.channels = new Set();
    /** False if the user left and must not be connected again. */
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
      // The connector died or is not ready yet; page.js retries.
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

  /** Says something in a channel; resolves to the users that the message did not reach. */
  async say(channel, n, text) {
    const { failed } = await this.#request(`${CHAT}.say`, { channel, n, text });
    return failed;
  }

  /** Creates a frame for each connection: removing the old one ends its timers. */
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

  /** Sends a request; rejects if the answer is not a success. */
  async #request(route, msg) {
    const answer = await this.#settled((done) => this.pomelo.request(route, msg, done));
    if (answer.code !== 200) throw new Error(answer.message ?? `code ${answer.code}`);
    return answer;
  }

  /** Waits for a callback; rejects when the socket closes, since pomelo's client does not call back then. */
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
