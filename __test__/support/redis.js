'use strict';

/**
 * A private redis-server on loopback for one test file: start, kill, restart, pause, stop; raw commands in any db; its number
 * of clients; the commands that it executes (MONITOR). The plugin under test is in service.js, its stub application in app.js.
 */

const { spawn } = require('child_process');
const { once } = require('events');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
// The old client comes with 0.0.7. It sends any command with any bytes, which is all we ask.
const oldRedis = require('redis');
const { serverProgram } = require('../../scripts/servers');
const { freePort } = require('./ports');
const { LEAST } = require('./rights');
const { until } = require('./until');

/** The server under the suite: see scripts/servers.js. */
const defaultProgram = () => serverProgram(process.env.SERVER);

const USER = { username: 'least', password: 'least-secret' };
const NAME = 'test-control';

// A test file may crash or be killed, and must not leave its server behind: this waits for the end
// of its input, which comes with the end of the test's process, however that ends.
const GUARD = 'read _; kill -9 "$0"; rm -rf "$1"';

/** Whether this machine has an IPv6 loopback; some containers have not. */
const hasIPv6 = () =>
  Object.values(os.networkInterfaces()).some((list) =>
    list.some(({ address }) => address === '::1'),
  );

class RedisServer {
  /**
   * `args` go to the server as they are; `password` also to the control connection; `program` is
   * another server that takes the same options. RIGHTS=least: the plugin is a user without others,
   * unless the suite is about a password; the control connection may do everything.
   */
  constructor(port, { args = [], password, program = defaultProgram() } = {}) {
    this.port = port;
    this.program = program;
    this.password = password;
    this.user = process.env.RIGHTS === 'least' && !password ? USER : undefined;
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'redis-'));
    this.socketPath = path.join(this.dir, 'redis.sock');
    this.args = args;
    this.ready = 'Ready to accept connections';
    this.control = null;
    this.controlPorts = new Set();
    this.monitors = [];
  }

  /** The server's arguments. */
  line() {
    const args = ['--port', this.port, '--bind', '127.0.0.1', '--unixsocket', this.socketPath];
    args.push('--save', '', '--appendonly', 'no', '--dir', this.dir);
    if (this.password) args.push('--requirepass', this.password);
    if (this.user) {
      const { username, password } = this.user;
      args.push('--user', username, 'on', `>${password}`, 'allkeys', ...LEAST);
    }
    return [...args, ...this.args].map(String);
  }

  async up() {
    const child = spawn(this.program, this.line());
    let output = '';
    await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`${this.program} did not start: ${output}`)));
      child.stdout.on('data', (chunk) => {
        output += chunk;
        if (output.includes(this.ready)) resolve();
      });
    });
    child.stdout.removeAllListeners('data').resume();
    this.process = child;
    this.guard = spawn('sh', ['-c', GUARD, child.pid, this.dir]);
  }

  /** Ends the server as a crash does; `up()` brings it back on the same port. */
  async kill(signal = 'SIGKILL') {
    this.dropControl();
    if (!this.process) return;
    const child = this.process;
    this.process = null;
    this.guard.kill('SIGKILL');
    child.kill('SIGCONT');
    child.kill(signal);
    await once(child, 'exit');
  }

  async restart() {
    await this.kill();
    await this.up();
  }

  async stop() {
    await this.kill();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  pause() {
    process.kill(this.process.pid, 'SIGSTOP');
  }

  resume() {
    process.kill(this.process.pid, 'SIGCONT');
  }

  dropControl() {
    for (const socket of this.monitors.splice(0)) socket.destroy();
    if (!this.control) return;
    this.control.end();
    // `end` takes off all listeners, that of 'error' too.
    this.control.stream.on('error', () => {});
    this.control = null;
  }

  async client() {
    if (this.control) return this.control;
    const control = oldRedis.createClient(this.port, '127.0.0.1', {
      auth_pass: this.password,
      no_ready_check: true,
    });
    this.control = control;
    control.on('error', () => {});
    // Ignored where the server has no CLIENT.
    control.send_command('client', ['setname', NAME], () => {});
    await once(control, 'ready');
    this.controlPorts.add(control.stream.localPort);
    return control;
  }

  /** One raw command in one db. Both go out in one tick, so no other command comes between. */
  async run(db, command, ...args) {
    const control = await this.client();
    return new Promise((resolve, reject) => {
      control.send_command('select', [db], () => {});
      control.send_command(command, args, (err, reply) => (err ? reject(err) : resolve(reply)));
    });
  }

  flush() {
    return this.run(0, 'flushall');
  }

  async keys(db = 0) {
    return (await this.run(db, 'keys', '*')).filter((key) => !isIndex(key)).sort();
  }

  async members(key, db = 0) {
    return (await this.run(db, 'smembers', key)).sort();
  }

  /** All sets of a db as `{key: sorted members}`. */
  async dump(db = 0) {
    const keys = await this.keys(db);
    const lists = await Promise.all(keys.map((key) => this.members(key, db)));
    return Object.fromEntries(keys.map((key, i) => [key, lists[i]]));
  }

  /** Connections that are not the test's own, each as the CLIENT LIST fields. */
  async clients() {
    const list = await this.run(0, 'client', 'list');
    return list
      .trim()
      .split('\n')
      .map((line) => Object.fromEntries(line.split(' ').map((field) => field.split(/=(.*)/))))
      .filter((client) => client.name !== NAME);
  }

  async untilClients(count) {
    await until(async () => (await this.clients()).length === count, `${count} clients`);
  }

  /** Cuts all connections but the test's own. */
  async killClients() {
    const clients = await this.clients();
    await Promise.all(clients.map((client) => this.run(0, 'client', 'kill', 'ID', client.id)));
    return clients.length;
  }

  /**
   * Records what others execute from now on. `commands()` returns what was executed up to now, as
   * `[db, 'COMMAND', ...args]`. (The old client's own MONITOR drops the db.)
   */
  async monitor() {
    const seen = [];
    const waiting = new Map();
    let rest = '';
    let replies = 0;
    const hello = [this.password && `AUTH ${this.password}`, `CLIENT SETNAME ${NAME}`, 'MONITOR'];
    const lines = hello.filter(Boolean);
    const socket = net.connect(this.port, '127.0.0.1');
    this.monitors.push(socket);
    socket.on('error', () => {});
    const ready = new Promise((resolve) => {
      socket.on('data', (chunk) => {
        const parts = (rest + chunk.toString('latin1')).split('\r\n');
        rest = parts.pop();
        for (const line of parts) {
          const entry = /^\+[\d.]+ \[(\d+) (\S*)\] (.*)$/.exec(line);
          if (!entry && ++replies === lines.length) resolve();
          if (!entry) continue;
          const args = parseArgs(entry[3]);
          const own = this.controlPorts.has(Number(entry[2].split(':').pop()));
          if (own && waiting.has(args[1])) waiting.get(args[1])();
          if (!own && !isIndex(args[1])) {
            seen.push([entry[1], args[0].toUpperCase(), ...args.slice(1)]);
          }
        }
      });
    });
    socket.write(lines.join('\r\n') + '\r\n');
    await ready;
    return {
      commands: async () => {
        // MONITOR shows commands in the order of execution: the marker comes after all others.
        const marker = `marker-${Math.random()}`;
        const arrived = new Promise((resolve) => waiting.set(marker, resolve));
        await this.run(0, 'echo', marker);
        await arrived;
        return seen.slice();
      },
    };
  }
}

/**
 * Whether it is the index of frontends (`PREFIX@sids`), which 0.0.7 does not have. `keys`, `dump` and `monitor` are about the
 * rows of channels; a test of the index asks with `run`.
 */
const isIndex = (key) => typeof key === 'string' && key.endsWith('@sids');

/** MONITOR's quoting: `"…"` with \n, \r, \t, \a, \b, \\, \" and \xNN for all other bytes. */
function parseArgs(text) {
  const escapes = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' };
  const bytes = (quoted) =>
    quoted.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (all, hex, letter) =>
      hex ? String.fromCharCode(parseInt(hex, 16)) : escapes[letter] || letter,
    );
  return Array.from(text.matchAll(/"((?:\\.|[^"\\])*)"/g), (match) =>
    Buffer.from(bytes(match[1]), 'latin1').toString(),
  );
}

/** `options`: `{args, password, program}`. Tries again when another process took the port first. */
async function start(options, Server = RedisServer) {
  for (let attempt = 1; ; attempt += 1) {
    const server = new Server(await freePort(), options);
    try {
      await server.up();
      return server;
    } catch (err) {
      await server.stop();
      if (attempt === 3) throw err;
    }
  }
}

module.exports = { RedisServer, start, defaultProgram, freePort, hasIPv6, isIndex };
