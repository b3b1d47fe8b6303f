'use strict';

/**
 * The stores that the plugin works on, as a test sees them: where one is, and what is in it. A row without further demands runs on
 * each of them. What only Redis has (a server that dies or hangs, its commands) is in redis.js.
 */

const { spawn } = require('child_process');
const { once } = require('events');
const fs = require('fs');
const os = require('os');
const path = require('path');
const redisServer = require('./redis');
const { call, ok } = require('./call');
const { started } = require('./service');
const { until } = require('./until');
const { removeFolder } = require('./remove');

class Store {
  /** One member under each of these keys, which are whole (`PREFIX:name:sid`) and of any prefix. */
  async seed(...keys) {
    const byPrefix = new Map();
    for (const key of keys) {
      const [, prefix, name, sid] = /^(.*):([^:]*):([^:]*)$/.exec(key);
      byPrefix.set(prefix, [...(byPrefix.get(prefix) || []), [name, sid]]);
    }
    for (const [prefix, places] of byPrefix) {
      const service = await started(this, { prefix });
      await Promise.all(places.map(([name, sid]) => ok(service, 'add', name, 'old member', sid)));
      await call(service, 'stop', true);
    }
  }

  untilUsers(count) {
    return until(async () => (await this.users()) === count, `${count} users of the store`);
  }
}

/** One db of a redis-server of our own. */
class RedisStore extends Store {
  /** `options` are those of redis.start. */
  static async open(options) {
    return new RedisStore(await redisServer.start(options));
  }

  constructor(server, number = 0) {
    super();
    this.server = server;
    this.number = number;
  }

  /** How many bytes a name or a uid may well have. */
  get room() {
    return 1 << 20;
  }

  /** Empty, and ready for the next row. */
  async empty() {
    if (!this.server.process) await this.server.up();
    // A row that failed may have left it stopped, and nothing limits the time of a hook.
    this.server.resume();
    await this.server.flush();
  }

  /** From now on nothing is written, nor an error answered, until `resume`. */
  async hang() {
    this.server.pause();
  }

  async resume() {
    this.server.resume();
  }

  close() {
    return this.server.stop();
  }

  /** Another store that has nothing to do with this one, as near as there can be. */
  other(number) {
    return new RedisStore(this.server, number);
  }

  options(more) {
    const db = this.number ? { db: this.number } : {};
    return { host: '127.0.0.1', port: this.server.port, ...this.server.user, ...db, ...more };
  }

  /** Options with which `start` fails at once. */
  unusable() {
    return this.options({ db: 99 });
  }

  /** All of it, as `{key: sorted members}`. */
  dump() {
    return this.server.dump(this.number);
  }

  /** All keys, sorted. */
  keys() {
    return this.server.keys(this.number);
  }

  /** The members of a key, sorted. */
  members(key) {
    return this.server.members(key, this.number);
  }

  /** How many use it now, and its others with it. */
  async users() {
    return (await this.server.clients()).length;
  }
}

/** A folder of our own. What is in it is read the way `npx pome-globalchannel list` does. */
class EmbeddedStore extends Store {
  static open() {
    return new EmbeddedStore(fs.mkdtempSync(path.join(os.tmpdir(), 'embedded-')));
  }

  constructor(root, number = 0) {
    super();
    this.root = root;
    this.number = number;
    this.rows = 0;
    // A test file that crashes must not leave it behind.
    process.once('exit', () => this.close());
  }

  get room() {
    return 480;
  }

  /** Another folder, so that it does not matter what has become of the last one. */
  async empty() {
    await this.resume();
    this.rows += 1;
  }

  /** As when another process stops in the middle of writing. */
  async hang() {
    const gate = path.join(this.options().path, 'write.lock');
    // Ends with its input, and so with this process, however that ends.
    this.holder = spawn(...holding(gate));
    await once(this.holder.stdout, 'data');
  }

  async resume() {
    if (!this.holder) return;
    const ended = once(this.holder, 'close');
    this.holder.stdin.end();
    this.holder = null;
    await ended;
  }

  close() {
    removeFolder(this.root);
  }

  other(number) {
    const store = Object.create(this);
    store.number = number;
    return store;
  }

  options(more) {
    const folder = path.join(this.root, String(this.rows), String(this.number));
    return { store: 'embedded', path: folder, ...more };
  }

  unusable() {
    const file = path.join(this.root, 'a file');
    fs.writeFileSync(file, '');
    return this.options({ path: file });
  }

  async dump() {
    const found = await readStore(`embedded:${this.options().path}`, null);
    // Without the index of frontends, as in redis.js.
    const rows = Object.entries(found).filter(([key]) => !redisServer.isIndex(key));
    return Object.fromEntries(rows.map(([key, uids]) => [key, uids.sort()]));
  }

  async keys() {
    return Object.keys(await this.dump()).sort();
  }

  async members(key) {
    return (await this.dump())[key] || [];
  }

  /** How many processes have it open now, and its others with it: each keeps a file of its number. */
  users() {
    const numbers = (folder) =>
      attempt(() => fs.readdirSync(path.join(folder, 'processes')).map(Number), []);
    const open = foldersIn(this.root).flatMap(foldersIn).flatMap(numbers);
    // Who was killed has left its file.
    return open.filter((pid) => attempt(() => process.kill(pid, 0), false)).length;
  }
}

/** A program that locks a file, says so, and holds it until its input ends; macOS has no flock. */
const holding = (file) =>
  process.platform === 'darwin'
    ? ['perl', ['-MFcntl=:flock', '-e', PERL, file]]
    : ['flock', [file, 'sh', '-c', 'echo; read _']];

const PERL = 'open F, "+<", shift or die; flock F, LOCK_EX or die; $| = 1; print "\\n"; <STDIN>';

const foldersIn = (folder) =>
  fs
    .readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => path.join(folder, name));

/** Stores and processes come and go meanwhile. */
const attempt = (act, otherwise) => {
  try {
    return act();
  } catch {
    return otherwise;
  }
};

/** What is at an address under `prefix` (null: all of it), as `{key: members}`, members sorted by their bytes. */
async function readStore(from, prefix) {
  // Only here, for 0.0.7 does without the addon.
  const { listStore } = require('../../lib/stores');
  const found = {};
  for await (const text of listStore({ from, prefix })) {
    for (const line of text.trimEnd().split('\n')) {
      const { key, members } = JSON.parse(line);
      found[key] = members;
    }
  }
  return found;
}

const STORES = { redis: RedisStore, embedded: EmbeddedStore };

module.exports = { STORES, readStore };
