'use strict';

/**
 * A private Redis Cluster on loopback for one test file: three primaries and three replicas, each a server of redis.js, which
 * can kill and stop it. Here: creating the cluster, the roles of its nodes, moving slots.
 */

const { execFile, execFileSync } = require('child_process');
const { promisify } = require('util');
const redisServer = require('./redis');
const { until } = require('./until');

const HOST = '127.0.0.1';
const PATIENCE = 60000;
/** Option `nodeTimeout` (ms) of a cluster whose nodes are to be taken for dead soon, because they are killed. */
const SOON = 1500;
/** By default no node is, however late a busy machine lets it answer, or however long a test stops it: a failover loses writes. */
const LATE = 6000;

const run = promisify(execFile);

class RedisCluster {
  constructor(servers) {
    this.servers = servers;
    this.nodeTimeout = SOON;
  }

  /** Options of a service that knows the nodes `seeds`, or all of them. */
  options(more, seeds = this.servers) {
    return { cluster: seeds.map(({ port }) => ({ host: HOST, port })), ...more };
  }

  /** Those that a test has neither killed nor stopped. */
  get alive() {
    return this.servers.filter((server) => server.process && !server.stopped);
  }

  /** Everybody's view of the cluster, as the fields of CLUSTER NODES. */
  async nodes(of = this.alive[0]) {
    const text = await of.run(0, 'cluster', 'nodes');
    return text
      .trim()
      .split('\n')
      .map((line) => {
        const [id, address, flags, primary, , , , link, ...slots] = line.split(' ');
        const port = Number(/:(\d+)@/.exec(address)[1]);
        const server = this.servers.find((each) => each.port === port);
        return { id, port, flags: flags.split(','), primary, link, slots, server };
      });
  }

  /** The nodes that have slots. */
  async primaries(of) {
    const nodes = await this.nodes(of);
    return nodes.filter(({ flags, slots }) => flags.includes('master') && slots.length > 0);
  }

  /** The node that has a key, as another one, or itself, sees it. */
  async owner(key, of = this.alive[0]) {
    const slot = await of.run(0, 'cluster', 'keyslot', key);
    const ranges = await of.run(0, 'cluster', 'slots');
    const [, , [, port]] = ranges.find(([first, last]) => first <= slot && slot <= last);
    return this.servers.find((server) => server.port === port);
  }

  /** The members of a key, sorted. */
  async members(key) {
    return (await this.owner(key)).members(key);
  }

  /** All sets, as `{key: sorted members}`. */
  async dump() {
    const dumps = await Promise.all((await this.primaries()).map(({ server }) => server.dump()));
    return Object.assign({}, ...dumps);
  }

  /** All keys, sorted. */
  async keys() {
    const lists = await Promise.all((await this.primaries()).map(({ server }) => server.keys()));
    return lists.flat().sort();
  }

  async empty() {
    await Promise.all((await this.primaries()).map(({ server }) => server.flush()));
  }

  /** A command on each node. */
  all(...command) {
    return Promise.all(this.alive.map((server) => server.run(0, ...command)));
  }

  /** How often the nodes answered with each error so far, as `{MOVED: n, …}`. */
  async errors() {
    const counts = {};
    for (const text of await this.all('info', 'errorstats')) {
      for (const [, code, count] of text.matchAll(/^errorstat_(\w+):count=(\d+)/gm)) {
        counts[code] = (counts[code] || 0) + Number(count);
      }
    }
    return counts;
  }

  /** `redis-cli --cluster`. */
  async cli(command, ...args) {
    const all = ['--cluster', command, ...args.map(String)];
    try {
      return (await run('redis-cli', all, { timeout: PATIENCE })).stdout;
    } catch (err) {
      err.message += `: ${(err.stdout || '').slice(-2000)}`;
      throw err;
    }
  }

  /** Moves slots, live. `from` and `to` are nodes. */
  async reshard(from, to, count) {
    await this.settled();
    const by = ['--cluster-from', from.id, '--cluster-to', to.id, '--cluster-slots', count];
    return this.cli('reshard', `${HOST}:${from.port}`, ...by, '--cluster-yes');
  }

  /**
   * Moves the slot of a key as redis-cli does, but slowly: `dwell` is called in each of its states, and between
   * the keys that are left, `step` of which go at a time, from database `db`.
   */
  async moveSlotOf(key, to, dwell, step = 1, db = 0) {
    // What others say of a move a moment ago may be old.
    const owner = await until(
      async () => {
        const seen = await this.owner(key);
        return seen && (await this.owner(key, seen)) === seen && seen;
      },
      `the owner of ${key}`,
      PATIENCE,
    );
    const slot = await owner.run(0, 'cluster', 'keyslot', key);
    const nodes = await this.nodes();
    const [from, target] = [owner, to].map((each) => nodes.find(({ server }) => server === each));
    if (from === target) return;
    await to.run(0, 'cluster', 'setslot', slot, 'importing', from.id);
    await owner.run(0, 'cluster', 'setslot', slot, 'migrating', target.id);
    await dwell();
    for (;;) {
      const keys = await owner.run(db, 'cluster', 'getkeysinslot', slot, step);
      if (keys.length === 0) break;
      await owner.run(db, 'migrate', HOST, to.port, '', db, PATIENCE, 'keys', ...keys);
      await dwell();
    }
    await to.run(0, 'cluster', 'setslot', slot, 'node', target.id);
    await dwell();
    await owner.run(0, 'cluster', 'setslot', slot, 'node', target.id);
    const others = (await this.primaries()).filter(({ server }) => ![owner, to].includes(server));
    for (const { server } of others) {
      await server.run(0, 'cluster', 'setslot', slot, 'node', target.id);
    }
  }

  /** While `work` is done a node says that the cluster is down: it lacks a slot, one without keys. */
  async down(server, work) {
    const { slots } = (await this.primaries()).find((each) => each.server === server);
    const slot = Number(slots[0].split('-')[0]);
    await server.run(0, 'cluster', 'delslots', slot);
    try {
      await work();
    } finally {
      await server.run(0, 'cluster', 'addslots', slot);
    }
  }

  /** What was written before is at the replicas as well. */
  async replicated() {
    for (const { server, slots } of await this.primaries()) {
      // WAIT is about what its own connection wrote; what came before in the stream has arrived with it.
      const key = await keyIn(server, slots);
      await server.run(0, 'set', key, '');
      const count = await server.run(0, 'wait', 1, PATIENCE);
      if (count < 1) throw new Error(`no replica of ${server.port} has it all`);
      await server.run(0, 'del', key);
    }
  }

  /** All nodes that live agree that all is well, and each primary has a replica that follows. */
  settled(primaries = 3, replicas = this.alive.length - primaries) {
    return until(
      async () => {
        const views = await Promise.all(
          this.alive.map(async (server) => {
            const info = await server.run(0, 'cluster', 'info');
            const replication = await server.run(0, 'info', 'replication');
            const owners = (await this.primaries(server)).map(({ id, slots }) => [id, ...slots]);
            const follows = /^role:slave[^]*^master_link_status:up/m.test(replication);
            return { ok: /cluster_state:ok/.test(info), owners: String(owners.sort()), follows };
          }),
        );
        return (
          views.every(({ ok, owners }) => ok && owners === views[0].owners) &&
          views.filter(({ follows }) => follows).length >= Math.min(replicas, 3)
        );
      },
      'a cluster that is settled',
      PATIENCE,
    );
  }

  /** Has nodes be taken for dead after so many ms. */
  takeForDeadAfter(ms) {
    this.nodeTimeout = ms;
    return this.all('config', 'set', 'cluster-node-timeout', ms);
  }

  /** A node without slots. */
  async add() {
    const server = await node();
    this.servers.push(server);
    await this.cli('add-node', `${HOST}:${server.port}`, `${HOST}:${this.servers[0].port}`);
    // Until then the others have it under another id.
    const known = ({ server: each, flags }) => each === server && !flags.includes('handshake');
    const everywhere = async () => {
      const views = await Promise.all(this.alive.map((each) => this.nodes(each)));
      return views.every((nodes) => nodes.some(known));
    };
    await until(everywhere, 'a new node that all know', PATIENCE);
    await this.takeForDeadAfter(this.nodeTimeout);
    return server;
  }

  /** Ends a node that has no slots; the others forget it. */
  async remove(server) {
    const { id } = (await this.nodes(server)).find(({ flags }) => flags.includes('myself'));
    this.servers = this.servers.filter((each) => each !== server);
    await server.stop();
    await this.all('cluster', 'forget', id);
  }

  /** A primary hands over to its replica, which is returned; nothing that was acknowledged is lost. */
  async handOver(primary) {
    const replica = await this.replicaOf(primary);
    const isDone = async () => (await this.primaries()).some(({ server }) => server === replica);
    const deadline = Date.now() + PATIENCE;
    do {
      // On a busy machine a replica gives up after 5 s; one that is a primary by now refuses.
      await replica.run(0, 'cluster', 'failover').catch(() => {});
      await until(isDone, 'the new primary', 6000).catch(() => {});
    } while (!(await isDone()) && Date.now() < deadline);
    if (!(await isDone())) throw new Error('the replica did not take over');
    return replica;
  }

  /** The replica of a node. */
  async replicaOf(server) {
    // While one is being promoted or is reconnecting there may be none.
    const found = async () => {
      const nodes = await this.nodes();
      const { id } = nodes.find((each) => each.server === server);
      return nodes.find(({ primary, flags }) => primary === id && !flags.includes('fail'));
    };
    const replica = await until(found, 'a replica', PATIENCE);
    return replica.server;
  }

  pause(server) {
    server.stopped = true;
    server.pause();
  }

  resume(server) {
    server.stopped = false;
    server.resume();
  }

  async close() {
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}

/** A key in one of these slots, as CLUSTER NODES writes them. */
async function keyIn(server, slots) {
  const ranges = slots.map((text) => text.split('-').map(Number));
  for (let i = 0; ; i += 1) {
    const key = `probe:${i}`;
    const slot = await server.run(0, 'cluster', 'keyslot', key);
    if (ranges.some(([first, last = first]) => first <= slot && slot <= last)) return key;
  }
}

/** The major version of a server program. */
function majorOf(program) {
  const told = execFileSync(program, ['--version'], { encoding: 'utf8' });
  return Number(/v=(\d+)/.exec(told)[1]);
}

async function node({ program = redisServer.defaultProgram(), args: more = [] } = {}) {
  const args = ['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'];
  // Before 7.0 the port of the bus is 10000 above the other one.
  if (majorOf(program) >= 7) args.push('--cluster-port', await redisServer.freePort());
  // While nodes get to know each other they ask each other often.
  args.push('--cluster-node-timeout', SOON);
  // A replica takes over whatever it has missed.
  args.push('--cluster-replica-validity-factor', 0);
  args.push('--repl-diskless-sync-delay', 0, ...more);
  return redisServer.start({ args, program });
}

/** Three primaries, each with so many replicas; `options` may name another `program`, and more `args` of the nodes. */
async function start({ nodeTimeout = LATE, ...options } = {}, replicas = 1) {
  const cluster = new RedisCluster([]);
  try {
    const count = 3 * (1 + replicas);
    for (let i = 0; i < count; i += 1) cluster.servers.push(await node(options));
    const addresses = cluster.servers.map(({ port }) => `${HOST}:${port}`);
    await cluster.cli('create', ...addresses, '--cluster-replicas', replicas, '--cluster-yes');
    await cluster.settled();
    await cluster.takeForDeadAfter(nodeTimeout);
    return cluster;
  } catch (err) {
    await cluster.close();
    throw err;
  }
}

/** One primary that has all slots. */
async function alone() {
  const cluster = new RedisCluster([await node()]);
  try {
    const slots = Array.from({ length: 16384 }, (_, slot) => slot);
    await cluster.servers[0].run(0, 'cluster', 'addslots', ...slots);
    await cluster.settled(1);
    return cluster;
  } catch (err) {
    await cluster.close();
    throw err;
  }
}

module.exports = { SOON, start, alone };
