'use strict';
/**
 * A real pomelo (or pinus) cluster on free loopback ports: a master, connectors and chat servers, each a process.
 * Starts it, waits until every server knows all others, calls the global channel service in a server, and stops it.
 * Used by the demo and by __test__/pomelo-cluster. Processes are in processes.js, the channels' store in stores.js,
 * clients in client.js, the app in app/.
 */

const fs = require('fs');
const path = require('path');
const { freePorts } = require('./ports');
const { LOOPBACK, Processes, until } = require('./processes');
const { ownRedis } = require('./stores');

const ROOT = path.resolve(__dirname, '..');
const APP = path.join(__dirname, 'app');
const LOOPBACK_PRELOAD = path.join(APP, 'loopback.js');
const START_TIMEOUT = 30000;
const ASK_TIMEOUT = 120000;

/** The plugin that the servers use by default: this project, unless the environment names another one. */
const PLUGIN = process.env.GLOBALCHANNEL_PLUGIN || ROOT;

class Cluster {
  /**
   * @param {object} options
   * @param {string} [options.app] folder of the app, with app.js, config/ and app/servers/
   * @param {number} [options.connectors]
   * @param {number} [options.chats]
   * @param {object} [options.plugins] server id → module that this server uses as the plugin
   * @param {Function} [options.store] one of stores.js; a Redis of its own by default
   * @param {object} [options.globalChannel] more options for the plugin than the store's
   * @param {object} [options.env] more environment for the servers
   * @param {string} [options.extension] a module with functions for `ask`, loaded by each server
   */
  constructor({
    app = APP,
    connectors = 3,
    chats = 2,
    plugins = {},
    store = ownRedis,
    globalChannel = {},
    env = {},
    extension = '',
  } = {}) {
    this.app = app;
    this.plugins = plugins;
    this.openStore = store;
    this.globalChannel = globalChannel;
    this.env = { ...env, ...(extension && { CONTROL_EXTENSION: extension }) };
    this.processes = new Processes();
    this.servers = new Map();
    this.counts = { connector: connectors, chat: chats };
    this.lastCall = 0;
  }

  async start() {
    try {
      const port = await this.#configure();
      const { processes } = this;
      this.store = await this.openStore({ processes, port, directory: processes.directory });
      processes.afterAll = this.store.remove;
      // Servers connect to the master only once, when they start.
      await this.startServer('master');
      const ids = [...this.connectors, ...this.chats].map(({ id }) => id);
      await Promise.all(ids.map((id) => this.startServer(id)));
      await this.allKnown();
    } catch (error) {
      await this.stop();
      throw error;
    }
    return this;
  }

  stop() {
    return this.processes.stopAll();
  }

  /** Starts one server, and waits for the callback of its `app.start`. */
  async startServer(id) {
    const info = this.infos.get(id);
    const args = ['-r', LOOPBACK_PRELOAD, path.join(this.app, 'app.js'), 'env=production'];
    if (id === 'master') args.push('startId=master');
    else for (const [key, value] of Object.entries(info)) args.push(`${key}=${value}`);

    const server = this.processes.start(id, process.execPath, args, {
      ipc: true,
      env: {
        APP_BASE: this.base,
        GLOBALCHANNEL_PLUGIN: this.plugins[id] || PLUGIN,
        GLOBALCHANNEL_OPTIONS: JSON.stringify({ ...this.store.options, ...this.globalChannel }),
        ...this.env,
      },
    });
    this.servers.set(id, server);
    server.known = [];
    server.calls = new Map();
    server.asked = new Map();
    server.onMessage = (message) => {
      if (message.started) server.started = message;
      if (message.known) server.known = message.known;
      if (message.answer) server.calls.get(message.id)[message.index].push(message.answer);
      if (message.asked) server.asked.set(message.id, message.asked);
    };
    await until(() => server.started || server.exit, `${id} to start`, START_TIMEOUT);
    const { error } = server.started || {};
    if (server.exit || error) {
      const reason = error ? error.message : `it ended with ${JSON.stringify(server.exit)}`;
      throw new Error(`${id} did not start: ${reason}\n${server.log()}`);
    }
    return server;
  }

  /** Waits until all running servers know exactly each other (pomelo does not list the master). */
  async allKnown() {
    // Read at each poll: servers may start and end meanwhile.
    const agreed = () => {
      const living = [...this.servers].filter(([, server]) => !server.exit);
      const ids = living.map(([id]) => id).filter((id) => id !== 'master');
      const all = ids.sort().join();
      return living.every(([, server]) => [...server.known].sort().join() === all);
    };
    await until(agreed, 'all servers to know each other', START_TIMEOUT);
  }

  /** Ends one server (with SIGKILL if asked to); resolves to how it ended. */
  stopServer(id, signal) {
    return this.processes.stop(this.servers.get(id), signal);
  }

  /**
   * Calls methods of the service in a server, all in one turn: `[[method, ...args], …]`. Returns the lists of answers
   * by call, `[[{error, value}], …]`, which are filled as answers arrive.
   */
  burst(id, calls) {
    const server = this.servers.get(id);
    const call = ++this.lastCall;
    const answers = calls.map(() => []);
    server.calls.set(call, answers);
    server.send({ id: call, calls });
    return answers;
  }

  /** Calls one method of the service in a server; resolves to its answer, or rejects with its error. */
  async call(id, method, ...args) {
    const [answers] = this.burst(id, [[method, ...args]]);
    await until(() => answers.length > 0, `${id} to answer ${method}`);
    const [{ error, value }] = answers;
    if (error) throw Object.assign(new Error(error.message), { code: error.code });
    return value;
  }

  /** Calls a function of the extension in a server; resolves to its result, or rejects with its error. */
  async ask(id, name, ...args) {
    const server = this.servers.get(id);
    const call = ++this.lastCall;
    server.send({ id: call, ask: { name, args } });
    const answered = () => server.asked.has(call) || server.exit;
    await until(answered, `${id} to answer ${name}`, ASK_TIMEOUT);
    if (!server.asked.has(call)) throw new Error(`${id} ended\n${server.log()}`);
    const { error, value } = server.asked.get(call);
    server.asked.delete(call);
    if (error) throw new Error(`${id}: ${name}: ${error.message}`);
    return value;
  }

  /** Returns the servers that ended unexpectedly, as a list of problems. */
  deaths() {
    return [...this.servers.values()]
      .filter(({ exit }) => exit && !exit.expected)
      .map(({ name, exit, log }) => `${name} ended: ${JSON.stringify(exit)}\n${log()}`);
  }

  /**
   * Creates a pomelo project folder for this run: the app's handlers, and config files with free ports. Returns one
   * more free port, for the store.
   */
  async #configure() {
    this.base = path.join(this.processes.directory, 'base');
    const config = path.join(this.base, 'config');
    fs.cpSync(path.join(this.app, 'config'), config, { recursive: true });
    fs.symlinkSync(path.join(this.app, 'app'), path.join(this.base, 'app'), 'junction');

    const { connector, chat } = this.counts;
    const ports = await freePorts(2 + 2 * connector + chat);
    const host = LOOPBACK;
    const server = (serverType, n) => ({ id: `${serverType}-${n + 1}`, serverType, host });
    this.connectors = Array.from({ length: connector }, (_, n) => ({
      ...server('connector', n),
      port: ports.pop(),
      clientPort: ports.pop(),
      frontend: true,
    }));
    this.chats = Array.from({ length: chat }, (_, n) => ({
      ...server('chat', n),
      port: ports.pop(),
    }));
    const master = { id: 'master', host, port: ports.pop() };
    this.infos = new Map(
      [master, ...this.connectors, ...this.chats].map((info) => [info.id, info]),
    );
    const write = (name, content) =>
      fs.writeFileSync(path.join(config, name), JSON.stringify(content));
    write('master.json', { production: master });
    write('servers.json', { production: { connector: this.connectors, chat: this.chats } });
    return ports.pop();
  }
}

module.exports = {
  /** Starts a cluster with these options (see the constructor) and waits until it is usable. */
  startCluster: (options) => new Cluster(options).start(),
  PLUGIN,
};
