'use strict';
/**
 * The users of one cluster: processes with cheap clients (clients.c), which count, and one with a
 * client for each connector that reads all (witnesses.js). Connects them, and says which pushes came
 * how often, in which order, and when the last client had each. When to push is round.js's business.
 */

const path = require('node:path');
const { until } = require('../../demo/processes');
const { compile } = require('./native');

const WITNESSES = path.join(__dirname, 'witnesses.js');
const PROCESSES = 2;
const TIMEOUT = 120000;
/** How long messages may be on their way; more is waited for in vain. */
const ARRIVAL = 60000;

class Users {
  /** `deflate`: do the clients offer permessage-deflate, as browsers do? All uids begin with `prefix`. */
  constructor(cluster, { deflate, prefix = '', arrival = ARRIVAL }) {
    const start = (name, command, args) => {
      const entry = cluster.processes.start(name, command, args, { ipc: true });
      entry.onMessage = (answer) => {
        entry.answer = answer;
        if (answer.error) this.problem ??= new Error(`${name}: ${answer.error}`);
      };
      return entry;
    };
    this.cluster = cluster;
    /** What a process of clients said before it gave up. */
    this.problem = null;
    this.deflate = deflate;
    this.prefix = prefix;
    this.arrival = arrival;
    this.crowds = Array.from({ length: PROCESSES }, (_, i) => ({
      entry: start(`clients-${i + 1}`, compile('clients'), []),
      size: 0,
      prefix: `${prefix}user-${i + 1}-`,
    }));
    this.reader = start('witnesses', process.execPath, [WITNESSES]);
    /** `{uid, sid}` of all who are connected; the witnesses are the first. */
    this.members = [];
    this.witnesses = 0;
  }

  get pids() {
    return [...this.crowds.map(({ entry }) => entry.pid), this.reader.pid];
  }

  async #tell(entry, message) {
    entry.answer = null;
    entry.send(message);
    await until(() => entry.answer || entry.exit, `${entry.name}: ${message}`, TIMEOUT);
    const { value, error } = entry.answer || { error: `it ended\n${entry.log()}` };
    if (error) throw new Error(`${entry.name}: ${error}`);
    return value;
  }

  /** Connects more until there are `size`; returns the new ones. */
  async grow(size) {
    const before = this.members.length;
    const { connectors, chats } = this.cluster;
    const [{ id: chat }] = chats;
    if (before === 0) {
      this.witnesses = connectors.length;
      const each = connectors.map(({ clientPort, id }, i) => ({
        port: clientPort,
        uid: `${this.prefix}witness-${i + 1}`,
        chat,
        deflate: this.deflate,
        sid: id,
      }));
      await this.#tell(this.reader, { command: 'connect', args: each });
      this.members.push(...each.map(({ uid, sid }) => ({ uid, sid })));
    }
    const missing = size - this.members.length;
    const servers = connectors.map(({ clientPort, id }) => `${clientPort}=${id}`).join(' ');
    await Promise.all(
      this.crowds.map(async (crowd, i) => {
        const count = Math.floor((missing + i) / PROCESSES);
        if (count <= 0) return;
        const { entry, prefix, size: first } = crowd;
        const offer = this.deflate ? 1 : 0;
        await this.#tell(entry, `connect ${count} ${first} ${prefix} ${offer} ${chat} ${servers}`);
        for (let n = first; n < first + count; n += 1) {
          const uid = prefix + String(n).padStart(5, '0');
          this.members.push({ uid, sid: connectors[n % connectors.length].id });
        }
        crowd.size += count;
      }),
    );
    return this.members.slice(before);
  }

  /** Before pushes `first`, `first + 1`, … */
  async begin(first, count) {
    await Promise.all([
      this.#tell(this.reader, { command: 'begin' }),
      ...this.crowds.map(({ entry }) => this.#tell(entry, `begin ${first} ${count}`)),
    ]);
  }

  /**
   * When all have come, returns a map of the time at which the last client had each push, and how
   * many messages came compressed; throws if a client did not get each push once, in order.
   * `due(witness)` are the numbers that a witness should have got.
   */
  async end(first, count, due) {
    const timeout = this.arrival;
    const expected = Array.from({ length: this.witnesses }, (_, i) => due(i));
    const [witnessed, ...reports] = await Promise.all([
      this.#tell(this.reader, {
        command: 'end',
        args: { expected: expected.map(({ length }) => length), timeout },
      }),
      ...this.crowds.map(({ entry }) => this.#tell(entry, `end ${timeout}`)),
    ]);
    witnessed.forEach((got, i) => {
      if (got.join() !== expected[i].join()) {
        throw new Error(`witness ${i + 1} got ${got}, expected ${expected[i]}`);
      }
    });
    const last = new Map();
    let compressed = 0;
    reports.forEach(({ arrived, disorder, ...report }, i) => {
      const { size } = this.crowds[i];
      if (size === 0) return;
      compressed += report.compressed;
      if (disorder > 0) throw new Error(`${disorder} messages out of order, or too many`);
      for (const [n, copies, at] of arrived) {
        if (copies !== size) throw new Error(`push ${n} came ${copies} times to ${size} clients`);
        last.set(n, Math.max(last.get(n) || 0, at));
      }
    });
    return { last, compressed: compressed / count };
  }
}

module.exports = { Users };
