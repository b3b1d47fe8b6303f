'use strict';
/* oxlint-disable promise/no-callback-in-promise -- a manager answers by callback, most of these
   clients by promise; anything between the two would be measured as theirs. */
/**
 * Other Redis clients as `channelManager` of 0.0.7. Each does what 0.0.7's manager does, with the same keys and
 * commands, as the client's documentation shows. Their packages are in benchmark/package.json.
 */

const PREFIX = 'POMELO:CHANNEL';

/**
 * `connect(port)` resolves to a driver: `sadd`, `srem`, `smembers` with a callback; `keys`, `del`
 * and `close` with a promise.
 */
class Manager {
  constructor(app, { port }, connect) {
    this.app = app;
    this.port = port;
    this.connect = connect;
    this.driver = null;
  }

  start(cb) {
    this.connect(this.port).then((driver) => {
      this.driver = driver;
      cb(null);
    }, cb);
  }

  stop(force, cb) {
    this.driver.close().then(() => cb(null), cb);
  }

  add(name, uid, sid, cb) {
    this.driver.sadd(key(name, sid), uid, (err) => cb(err));
  }

  leave(name, uid, sid, cb) {
    this.driver.srem(key(name, sid), uid, (err) => cb(err));
  }

  getMembersBySid(name, sid, cb) {
    this.driver.smembers(key(name, sid), cb);
  }

  destroyChannel(name, cb) {
    const servers = this.app.getServers();
    const sids = Object.keys(servers).filter((sid) => this.app.isFrontend(servers[sid]));
    this.driver.del(sids.map((sid) => key(name, sid))).then(() => cb(null), cb);
  }

  clean(cb) {
    this.driver
      .keys(`${PREFIX}*`)
      .then((keys) => keys.length && this.driver.del(keys))
      .then(() => cb(null), cb);
  }
}

const key = (name, sid) => `${PREFIX}:${name}:${sid}`;

async function ioredis(port, options) {
  const { Redis } = require('ioredis');
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, ...options });
  await client.connect();
  return {
    sadd: (name, member, cb) => client.sadd(name, member, cb),
    srem: (name, member, cb) => client.srem(name, member, cb),
    smembers: (name, cb) => client.smembers(name, cb),
    keys: (pattern) => client.keys(pattern),
    del: (names) => client.del(names),
    close: async () => client.disconnect(),
  };
}

async function nodeRedis(port) {
  const { createClient } = require('redis');
  const client = createClient({ socket: { host: '127.0.0.1', port } });
  client.on('error', (err) => console.error(err));
  await client.connect();
  return {
    sadd: (name, member, cb) => client.sAdd(name, member).then(() => cb(null), cb),
    srem: (name, member, cb) => client.sRem(name, member).then(() => cb(null), cb),
    smembers: (name, cb) => client.sMembers(name).then((list) => cb(null, list), cb),
    keys: (pattern) => client.keys(pattern),
    del: (names) => client.del(names),
    close: async () => client.destroy(),
  };
}

async function glide(port) {
  const { GlideClient } = require('@valkey/valkey-glide');
  const client = await GlideClient.createClient({
    addresses: [{ host: '127.0.0.1', port }],
    // The default of 250 ms is too short for a list of 300,000.
    requestTimeout: 30000,
    // The default of 1000 is too low for 512 calls that are many commands each.
    inflightRequestsLimit: 8192,
  });
  return {
    sadd: (name, member, cb) => client.sadd(name, [].concat(member)).then(() => cb(null), cb),
    srem: (name, member, cb) => client.srem(name, [].concat(member)).then(() => cb(null), cb),
    // The client returns a Set; the service takes lists.
    smembers: (name, cb) => client.smembers(name).then((set) => cb(null, [...set]), cb),
    keys: (pattern) => client.customCommand(['KEYS', pattern]),
    del: (names) => client.del(names),
    close: async () => client.close(),
  };
}

const clients = {
  ioredis,
  autopipe: (port) => ioredis(port, { enableAutoPipelining: true }),
  'node-redis': nodeRedis,
  glide,
};

/** Returns the options of a contestant's service. */
function serviceOptions({ opts, impl, manager }) {
  const options = { ...opts };
  // As 0.0.7, which waits as long as it takes: on a busy machine 512 pushes of long lists may take longer than the default.
  if (impl === 'ours') options.commandTimeout = 60000;
  if (manager) {
    options.channelManager = (app, all) => new Manager(app, all, clients[manager]);
  }
  return options;
}

module.exports = { serviceOptions };
