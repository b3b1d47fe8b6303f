'use strict';

/**
 * The stores that the plugin works on, as a test sees them: where one is, and what is in it. A row
 * that asks for nothing else runs on each of them.
 *
 * Lives here: all that the suites need to know of a store. Does not live here: what only Redis has
 * (a server that dies or hangs, its commands), which is redis.js.
 */

const redisServer = require('./redis');
const { call, ok } = require('./call');
const { started } = require('./service');
const { until } = require('./until');

class Store {
  /** All of it, as `{key: sorted members}`. */
  async dump() {
    const keys = await this.keys();
    const lists = await Promise.all(keys.map((key) => this.members(key)));
    return Object.fromEntries(keys.map((key, i) => [key, lists[i]]));
  }

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

  /** Empty, and ready for the next row. */
  async empty() {
    if (!this.server.process) await this.server.up();
    // A row that failed may have left it stopped, and nothing limits the time of a hook.
    this.server.resume();
    await this.server.flush();
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
    return { host: '127.0.0.1', port: this.server.port, ...db, ...more };
  }

  /** Options with which `start` fails at once. */
  unusable() {
    return this.options({ db: 99 });
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

const STORES = { redis: RedisStore };

module.exports = { STORES, RedisStore };
