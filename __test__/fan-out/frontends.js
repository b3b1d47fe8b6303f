'use strict';
/**
 * Starts frontends (frontend.js) for a test file, and ends them. Each is alone: a folder, an embedded store and ports
 * of its own.
 */

const fs = require('fs');
const path = require('path');
const { freePorts } = require('../support/ports');
const { Processes, until } = require('../../demo/processes');
const { until: poll } = require('../support/until');

const ROOT = path.resolve(__dirname, '../..');
/** Which config files each framework takes. */
const CONFIGS = {
  pomelo: path.join(ROOT, 'demo/app/config'),
  pinus: path.join(ROOT, '__test__/pomelo-cluster/pinus-app/config'),
};
const PRELOAD = path.join(ROOT, 'demo/app/loopback.js');
const HOST = '127.0.0.1';
const PATIENCE = 60000;
/** Another build of the package, to see that the tests notice what is wrong with it. */
const PLUGIN = process.env.FANOUT_PLUGIN || ROOT;

class Frontend {
  constructor(setup, port, entry) {
    Object.assign(this, { setup, port, entry });
    this.answers = new Map();
    this.lastCall = 0;
    entry.onMessage = (message) => {
      if (message.started) this.started = true;
      else this.answers.get(message.id)(message);
    };
    entry.exited.then(() => this.answers.forEach((answer) => answer({ error: 'it ended' })));
  }

  /** Calls one of the commands of operations.js in it. */
  async call(name, ...args) {
    const id = (this.lastCall += 1);
    const answered = new Promise((resolve) => this.answers.set(id, resolve));
    this.entry.send({ id, name, args });
    const { value, error } = this.entry.exit ? { error: 'it has ended' } : await answered;
    this.answers.delete(id);
    if (error) throw new Error(`${this.entry.name}: ${name}: ${error}\n${this.entry.log()}`);
    return value;
  }

  /** All of these operations in one turn of its event loop. */
  turn(...ops) {
    return this.call('turn', ops);
  }

  /** Connects a client (client.js) and gives its session the uid. */
  async join(client) {
    await client.open();
    await poll(
      () => this.call('bind', client.localPort, client.uid),
      `${client.uid} to be bound`,
      PATIENCE,
    );
    return client;
  }

  get pid() {
    return this.entry.pid;
  }
}

class Frontends {
  constructor() {
    this.processes = new Processes();
    this.count = 0;
  }

  /**
   * `setup.fanOut` is the option; `undefined` starts it without the plugin. `setup.nodeArgs` are for Node; the rest is
   * told in frontend.js.
   */
  async start({ fanOut, nodeArgs = [], ...more }) {
    const number = (this.count += 1);
    const name = `${more.framework} ${number}`;
    const base = path.join(this.processes.directory, String(number));
    fs.cpSync(CONFIGS[more.framework], path.join(base, 'config'), { recursive: true });
    fs.mkdirSync(path.join(base, 'app', 'servers', 'connector', 'handler'), { recursive: true });
    const [port, clientPort, masterPort] = await freePorts(3);
    const info = { id: 'connector-1', serverType: 'connector', host: HOST, port, clientPort };
    const write = (file, content) =>
      fs.writeFileSync(path.join(base, 'config', file), JSON.stringify({ production: content }));
    write('master.json', { id: 'master', host: HOST, port: masterPort });
    write('servers.json', { connector: [{ ...info, frontend: true }] });
    const store = { store: 'embedded', path: path.join(base, 'store') };
    const globalChannel = fanOut === undefined ? undefined : { ...store, fanOut };
    const setup = { ...more, base, plugin: PLUGIN, globalChannel };
    const args = [...nodeArgs, '-r', PRELOAD, path.join(__dirname, 'frontend.js')];
    args.push('env=production', 'frontend=true');
    for (const [key, value] of Object.entries(info)) args.push(`${key}=${value}`);
    const env = { FRONTEND: JSON.stringify(setup) };
    const entry = this.processes.start(name, process.execPath, args, { ipc: true, env });
    const frontend = new Frontend({ fanOut, ...more }, clientPort, entry);
    await until(() => frontend.started || entry.exit, `${name} to start`, PATIENCE);
    if (entry.exit) throw new Error(`${name} ended\n${entry.log()}`);
    if (more.deflate && more.framework === 'pinus') await frontend.call('allowDeflate');
    return frontend;
  }

  /** Two alike, but for the fan-out: `{on, off}`. */
  async pair(setup, without = setup) {
    const [on, off] = await Promise.all([
      this.start({ ...setup, fanOut: true }),
      this.start({ ...without, fanOut: false }),
    ]);
    return { on, off };
  }

  stop({ entry }) {
    return this.processes.stop(entry, 'SIGKILL');
  }

  close() {
    return this.processes.stopAll();
  }
}

module.exports = { Frontends };
