'use strict';
/**
 * The stores of a run: a redis-server, a Redis Cluster of three primaries, and folders for the embedded store; with the
 * options for them, and methods that empty and fill them (seed.js).
 */

const path = require('node:path');
const { ok } = require('../__test__/support/call');
const redisCluster = require('../__test__/support/cluster');
const redisServer = require('../__test__/support/redis');
const { started, stopAll } = require('../__test__/support/service');
const { key, uid } = require('./names');

const PART = 1000;

// The server generates the members: sending a million from here would take longer than the measurement.
const FILL = `
  local first, count = tonumber(ARGV[1]), tonumber(ARGV[2])
  for from = first, first + count - 1, ${PART} do
    local uids = {}
    for n = from, math.min(from + ${PART}, first + count) - 1 do
      uids[#uids + 1] = string.format('uid:%012d', n)
    end
    redis.call('SADD', KEYS[1], unpack(uids))
  end`;

class Redis {
  constructor(server) {
    this.server = server;
  }

  options() {
    return { host: '127.0.0.1', port: this.server.port };
  }

  empty() {
    return this.server.flush();
  }

  /** Adds the `count` users from number `first` on. */
  fill(channel, sid, first, count) {
    return this.server.run(0, 'eval', FILL, 1, key(channel, sid), first, count);
  }
}

/** The same cluster twice: with option `hashTag` the keys of a channel are on one node. */
class Cluster {
  constructor(cluster, hashTag) {
    this.cluster = cluster;
    this.hashTag = hashTag;
    this.owners = new Map();
  }

  options() {
    return this.cluster.options({ hashTag: this.hashTag });
  }

  empty() {
    return this.cluster.empty();
  }

  async fill(channel, sid, first, count) {
    const name = key(this.hashTag ? `{${channel}}` : channel, sid);
    if (!this.owners.has(name)) this.owners.set(name, await this.cluster.owner(name));
    await this.owners.get(name).run(0, 'eval', FILL, 1, name, first, count);
  }
}

/** An embedded store, filled by a service in this process, which is idle during measurements. */
class Embedded {
  constructor(folder, durability) {
    this.folder = folder;
    this.durability = durability;
    this.service = null;
  }

  options() {
    return { store: 'embedded', path: this.folder, durability: this.durability };
  }

  async empty() {
    this.service ??= await started(this, { cache: false }, undefined, 'ours');
    await ok(this.service, 'clean');
  }

  async fill(channel, sid, first, count) {
    for (let from = first; from < first + count; from += PART) {
      const length = Math.min(PART, first + count - from);
      const uids = Array.from({ length }, (_, i) => uid(from + i));
      await ok(this.service, 'add', channel, uids, sid);
    }
  }
}

/** Opens `{redis, embedded, synced, close()}`, and the cluster if one of `names` is it; each contestant names its store. */
async function open(names = []) {
  const server = await redisServer.start();
  const cluster = names.some((name) => ['cluster', 'tagged'].includes(name))
    ? await redisCluster.start({}, 0)
    : null;
  // In the server's folder, which is removed even if this process is killed.
  const folder = (name) => path.join(server.dir, name);
  return {
    redis: new Redis(server),
    embedded: new Embedded(folder('embedded'), 'process'),
    synced: new Embedded(folder('synced'), 'os'),
    cluster: new Cluster(cluster, false),
    tagged: new Cluster(cluster, true),
    async close() {
      await stopAll();
      await Promise.all([server.stop(), cluster && cluster.close()]);
    },
  };
}

module.exports = { open };
