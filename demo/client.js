'use strict';
/**
 * A user: a real WebSocket client that speaks pomelo's protocol; a process may have many. It records the chat messages
 * that it receives, in order and with the time.
 */

const { performance } = require('perf_hooks');
const Pomelo = require('pomelo-nodejsclient-websocket');

const ANSWER_TIMEOUT = 15000;
const quiet = () => {};
const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet, trace: quiet };

class Client {
  /** Connects, and enters as `uid` with the given chat server. */
  static async connect({ host, clientPort, id }, uid, chat) {
    const client = new Client(uid, id, chat);
    try {
      await client.#within('connect', (done) => {
        client.socket.init({ host, port: clientPort }, done);
      });
      await client.request('connector.entryHandler.enter', { uid, chat });
    } catch (error) {
      // Its session may be open.
      client.close();
      throw error;
    }
    return client;
  }

  constructor(uid, connector, chat) {
    this.uid = uid;
    this.connector = connector;
    this.chat = chat;
    /** `{n, from, at}` of each message, in the order in which they came. */
    this.messages = [];
    this.closed = false;
    this.socket = new Pomelo({ logger });
    this.socket.on('onChat', ({ n, from }) => {
      this.messages.push({ n, from, at: performance.now() });
    });
    for (const event of ['io-error', 'close', 'error', 'onKick', 'heartbeat timeout']) {
      this.socket.on(event, () => {
        if (this.closed) return;
        this.closed = true;
        // The library would keep its heartbeat timers.
        this.socket.disconnect();
        this.socket.emit('over');
      });
    }
    // 'over' listeners are the requests under way.
    this.socket.setMaxListeners(0);
  }

  /** Sends a request and resolves to the answer; rejects if the answer is not a success. */
  async request(route, msg = {}) {
    const answer = await this.#within(route, (done) => this.socket.request(route, msg, done));
    if (answer.code === 200) return answer;
    throw new Error(`user ${this.uid}: ${route} was answered ${JSON.stringify(answer)}`);
  }

  /** Waits for an answer of the connector, so that every message that it sent before is in `messages`. */
  ping() {
    return this.request('connector.entryHandler.ping');
  }

  close() {
    this.socket.disconnect();
  }

  #within(what, begin) {
    return new Promise((resolve, reject) => {
      const fail = (reason) => reject(new Error(`user ${this.uid}: ${what}: ${reason}`));
      if (this.closed) return fail('the connection is closed');
      const over = () => end(() => fail('the connection was closed'));
      const timer = setTimeout(() => end(() => fail('no answer')), ANSWER_TIMEOUT);
      const end = (settle) => {
        clearTimeout(timer);
        this.socket.off('over', over);
        settle();
      };
      this.socket.on('over', over);
      begin((error, answer) => end(() => (error ? fail(error) : resolve(answer))));
    });
  }
}

/**
 * Connects `count` clients named `user-1`, …, spread evenly over the cluster's connectors and,
 * every connector by itself, over its chat servers.
 */
function connectClients({ connectors, chats }, count, name = (n) => `user-${n}`) {
  return Promise.all(
    Array.from({ length: count }, (_, n) => {
      const connector = connectors[n % connectors.length];
      const chat = chats[Math.floor(n / connectors.length) % chats.length];
      return Client.connect(connector, name(n + 1), chat.id);
    }),
  );
}

module.exports = { Client, connectClients };
