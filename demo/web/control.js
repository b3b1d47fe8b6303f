'use strict';
/**
 * The actions that the page may request (server.js): read the cluster's state, push, kill a connector, start it again.
 * Each method takes the object that the page sent. What users do (join, say) goes from the browser through their
 * connectors instead.
 */

const { PLUGIN } = require('../cluster');

const CHANNELS = ['world', 'guild'];
const MAX_TEXT = 200;

/** Makes an error for a bad request; `status` is the HTTP status. */
const refusal = (status, message) => Object.assign(new Error(message), { status });

class Control {
  constructor(cluster) {
    this.cluster = cluster;
    this.reader = cluster.chats[0].id;
    /** What happens to a connector, by its id: `leaving` or `starting`. */
    this.changing = new Map();
  }

  /**
   * Returns the state of a connector: `up`, `leaving` (killed, and some servers still list it), `down` or `starting`.
   */
  stateOf(id) {
    const { exit } = this.cluster.servers.get(id);
    return this.changing.get(id) ?? (exit ? 'down' : 'up');
  }

  async state() {
    const { cluster } = this;
    const { name, version } = require(`${PLUGIN}/package.json`);
    return {
      plugin: `${name} ${version}`,
      store: cluster.store.title,
      chats: cluster.chats.map(({ id }) => id),
      connectors: cluster.connectors.map(({ id, host, clientPort }) => ({
        id,
        host,
        clientPort,
        pid: cluster.servers.get(id).pid,
        state: this.stateOf(id),
      })),
      channels: await Promise.all(
        CHANNELS.map(async (channel) => ({ name: channel, members: await this.members(channel) })),
      ),
    };
  }

  /** Returns `{connector id: uids}` from the store, where the members of a dead connector still are. */
  async members(channel) {
    const lists = await Promise.all(
      this.cluster.connectors.map(async ({ id }) => [
        id,
        await this.cluster.call(this.reader, 'getMembersBySid', channel, id),
      ]),
    );
    return Object.fromEntries(lists.map(([id, uids]) => [id, uids.sort()]));
  }

  /** Pushes from a chat server, and returns the uids that the push reports as failed. */
  async push({ chat, channel, n, text }) {
    if (!this.cluster.chats.some(({ id }) => id === chat)) throw refusal(400, 'no such server');
    if (!CHANNELS.includes(channel)) throw refusal(400, 'no such channel');
    if (!Number.isInteger(n) || n < 0 || n > 0xffffffff) throw refusal(400, 'n: not a uint32');
    if (typeof text !== 'string' || text === '' || text.length > MAX_TEXT) {
      throw refusal(400, `text: 1 to ${MAX_TEXT} characters`);
    }
    const message = { n, text, from: chat };
    const args = ['connector', 'onChat', message, channel, {}];
    return { failed: await this.cluster.call(chat, 'pushMessage', ...args) };
  }

  /** Kills a connector with SIGKILL; resolves when all other servers have noticed. */
  kill({ connector }) {
    return this.#change(connector, 'up', 'leaving', () =>
      this.cluster.stopServer(connector, 'SIGKILL'),
    );
  }

  /** Starts a killed connector again; resolves when all other servers list it. */
  revive({ connector }) {
    return this.#change(connector, 'down', 'starting', () => this.cluster.startServer(connector));
  }

  async #change(id, from, through, act) {
    if (!this.cluster.connectors.some((connector) => connector.id === id)) {
      throw refusal(400, 'no such connector');
    }
    if (this.stateOf(id) !== from) throw refusal(409, `${id} is ${this.stateOf(id)}`);
    this.changing.set(id, through);
    try {
      await act();
      await this.cluster.allKnown();
    } finally {
      this.changing.delete(id);
    }
    return {};
  }
}

module.exports = { Control };
