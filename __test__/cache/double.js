'use strict';

/**
 * A scripted Redis for tests of the wire (a test double): it keeps sets and tracks keys as Redis does, and the test
 * decides when its output is sent: frame by frame, or several frames in one TCP chunk. It can also pose as another
 * server, refuse commands, and lose a key without a push.
 *
 * It tracks as Redis 7 does without NOLOOP: it remembers what a connection read (with OPTIN only what it read directly
 * after CLIENT CACHING YES), sends one push at the first change by any client, then forgets the key. The push for a
 * client's own command comes after the reply (before it if `pushesFirst`, as in Redis 6).
 *
 * Here are connections, tracking and holding back output. Commands are in commands.js, bytes in resp.js. What a real
 * server can show is tested on one (support/redis.js).
 */

const { Parser } = require('redis/lib/parser/javascript');
const { listen } = require('../faults/wire');
const { until } = require('../support/until');
const commands = require('./commands');
const { bytes, encode, encodePush, failure } = require('./resp');

/** What it says of itself. `refused` is `{'COMMAND' or 'COMMAND SUBCOMMAND': error text}`. */
const REDIS = {
  server: 'redis',
  version: '7.0.15',
  mode: 'standalone',
  role: 'master',
  executable: '/usr/bin/redis-server',
  moreInfo: [],
  trackingWorks: true,
  pushesFirst: false,
  refused: {},
};

class Double {
  constructor(persona) {
    this.persona = { ...REDIS, ...persona };
    this.runId = Math.random().toString(16).slice(2).padEnd(40, '0');
    this.sets = new Map();
    this.connections = new Map();
    this.readers = new Map();
    /** All commands, as `[connection id, NAME, ...args]`. */
    this.received = [];
    this.holding = false;
    /** What waits to be sent: `{connection, name, text}`, oldest first. */
    this.held = [];
  }

  async up() {
    this.wire = await listen((socket, id) => this.accept(socket, id));
    this.port = this.wire.port;
  }

  close() {
    return this.wire.close();
  }

  accept(socket, id) {
    const connection = {
      id,
      socket,
      db: 0,
      proto: 2,
      tracking: false,
      optin: false,
      caching: false,
      pending: [],
    };
    this.connections.set(id, connection);
    socket.setNoDelay(true);
    const parser = new Parser({ return_buffers: true });
    parser.on('reply', (parts) => {
      this.answer(
        connection,
        parts.map((part) => part.toString('latin1')),
      );
    });
    socket.on('data', (chunk) => parser.execute(chunk));
    socket.on('close', () => this.forget(connection));
  }

  forget(connection) {
    this.connections.delete(connection.id);
    this.held = this.held.filter((frame) => frame.connection !== connection);
  }

  answer(connection, [given, ...args]) {
    const name = given.toUpperCase();
    this.received.push([connection.id, name, ...args]);
    const reply = this.execute(connection, name, args);
    // It is about the next command that is not CLIENT.
    if (name !== 'CLIENT') connection.caching = false;
    const { pushesFirst } = this.persona;
    const own = connection.pending.splice(0);
    if (pushesFirst) own.forEach((push) => this.send(connection, 'invalidate', push));
    this.send(connection, name, encode(reply, connection.proto));
    if (!pushesFirst) own.forEach((push) => this.send(connection, 'invalidate', push));
  }

  execute(connection, name, args) {
    const { refused } = this.persona;
    const words = refused[name] || refused[`${name} ${String(args[0]).toUpperCase()}`];
    if (words) return failure(words);
    const command = commands[name];
    if (!command) return failure(`ERR unknown command '${name}'`);
    return command(this, connection, args);
  }

  /** Another client executes a command: its writes are acknowledged when this returns. */
  other(name, ...args) {
    return this.execute(undefined, name, args.map(bytes));
  }

  /** Several commands of another client; each connection gets all the keys in one push. */
  otherTogether(list) {
    this.gathered = new Map();
    for (const command of list) this.other(...command);
    for (const [connection, keys] of this.gathered) this.push(connection, keys);
    this.gathered = undefined;
  }

  /** Changes a key without a push, like one that expired and is not deleted yet. */
  replaceSilently(key, ...members) {
    this.sets.delete(`0/${bytes(key)}`);
    if (members.length > 0) this.sets.set(`0/${bytes(key)}`, new Set(members.map(bytes)));
  }

  remember(connection, key) {
    if (!connection || !connection.tracking || connection.proto !== 3) return;
    if (connection.optin && !connection.caching) return;
    if (!this.readers.has(key)) this.readers.set(key, new Set());
    this.readers.get(key).add(connection);
  }

  /** `author` is the connection that changed the key, if it is one of ours. */
  changed(author, key) {
    const readers = this.readers.get(key) || [];
    this.readers.delete(key);
    for (const connection of readers) {
      if (!this.connections.has(connection.id)) continue;
      if (connection === author) connection.pending.push(encodePush(['invalidate', [key]]));
      else if (!this.gathered) this.push(connection, [key]);
      else this.gathered.set(connection, [...(this.gathered.get(connection) || []), key]);
    }
  }

  /** The push without a key: everything may have changed. */
  changedAll(author) {
    this.readers.clear();
    for (const connection of this.connections.values()) {
      if (!connection.tracking || connection.proto !== 3) continue;
      if (connection === author) connection.pending.push(encodePush(['invalidate', null]));
      else this.push(connection, null);
    }
  }

  push(connection, keys) {
    this.send(connection, 'invalidate', encodePush(['invalidate', keys]));
  }

  send(connection, name, text) {
    this.held.push({ connection, name, text });
    if (!this.holding) this.release();
  }

  /** From now on nothing is sent; commands are executed as before. */
  hold() {
    this.holding = true;
  }

  /** Sends the first `count` frames that wait, as one chunk for each connection. */
  release(count = this.held.length) {
    const chunks = new Map();
    for (const { connection, text } of this.held.splice(0, count)) {
      chunks.set(connection, (chunks.get(connection) || '') + text);
    }
    for (const [{ socket }, text] of chunks) socket.write(Buffer.from(text, 'latin1'));
  }

  /** Ends the hold; what waited goes out as one chunk. */
  flow() {
    this.holding = false;
    this.release();
  }

  /** The names of the frames that wait: commands for replies, `invalidate` for pushes. */
  waiting() {
    return this.held.map(({ name }) => name);
  }

  /** Bytes that are none of its own making, to all connections. */
  sendRaw(text) {
    for (const connection of this.connections.values()) this.send(connection, 'raw', text);
  }

  /** The keys in the server's tracking table. */
  remembered() {
    return [...this.readers.keys()];
  }

  /** How often a command came, with this first argument if one is given. */
  count(name, key) {
    const first = key === undefined ? undefined : bytes(key);
    return this.received.filter(
      ([, command, ...args]) => command === name && (first === undefined || args.includes(first)),
    ).length;
  }

  /** Resolves when the command comes once more than it has until now. */
  next(name, key) {
    const before = this.count(name, key);
    return until(() => this.count(name, key) > before, `${name} ${key || ''} to come`, 5000);
  }

  /** What waits to be sent is never sent. */
  drop() {
    this.held = [];
  }

  /** Ends all connections, and what waits with them. */
  cut() {
    for (const { socket } of this.connections.values()) socket.destroy();
    this.drop();
  }

  kill(id) {
    const connection = this.connections.get(id);
    if (!connection) return 0;
    connection.socket.destroy();
    return 1;
  }
}

async function start(persona) {
  const double = new Double(persona);
  await double.up();
  return double;
}

module.exports = { start };
