'use strict';

/** A primary, two replicas and three sentinels on loopback: start, fail over, restore. A single server is in redis.js. */

const fs = require('fs');
const path = require('path');
const redisServer = require('./redis');
const { until } = require('./until');

const NAME = 'the-one';
/** Option `downAfter` (ms) of a group whose servers are to be taken for dead soon, because they are killed. */
const SOON = 2000;
/** By default no server is, however late a busy machine lets it answer: a failover loses writes. */
const LATE = 15000;
// Elections take seconds, and the machine may be slow.
const DEADLINE = 60000;
/** How many channels a service listens to, as CLIENT LIST has it. */
const HEARS = '5';

/** What sentinels answer is names and values in a row. */
const fields = (flat) =>
  Object.fromEntries(flat.flatMap((value, i) => (i % 2 ? [] : [[value, flat[i + 1]]])));

class Sentinel extends redisServer.RedisServer {
  /** `monitor`: the port of the primary; `server`: how to log in there; so many have to agree. */
  constructor(port, { monitor, server = {}, password, quorum = 2, downAfter = LATE }) {
    super(port, { password });
    this.ready = '+monitor';
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${this.dir}`,
      password && `requirepass ${password}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${monitor} ${quorum}`,
      `sentinel down-after-milliseconds ${NAME} ${downAfter}`,
      `sentinel failover-timeout ${NAME} 6000`,
      `sentinel parallel-syncs ${NAME} 2`,
      server.password && `sentinel auth-pass ${NAME} ${server.password}`,
    ];
    this.file = path.join(this.dir, 'sentinel.conf');
    fs.writeFileSync(this.file, lines.filter(Boolean).join('\n'));
  }

  line() {
    return [this.file, '--sentinel'];
  }

  ask(command, ...args) {
    return this.run(0, 'sentinel', command, NAME, ...args);
  }

  /** What it says of the primary, as `{field: value}`. */
  async view() {
    return fields(await this.ask('master'));
  }

  /** It sees both replicas well: one of them could be promoted. */
  async seesReplicas() {
    const seen = (await this.ask('slaves')).map(fields);
    const well = seen.filter(
      (replica) => replica.flags === 'slave' && replica['master-link-status'] === 'ok',
    );
    return well.length === 2;
  }
}

class Group {
  servers = [];
  sentinels = [];

  static start(options) {
    return new Group().open(options);
  }

  /** Starts all of it. `password` is the servers', `sentinelPassword` the sentinels'. */
  async open({ password, sentinelPassword, downAfter } = {}) {
    Object.assign(this, { password, sentinelPassword });
    try {
      const auth = password ? ['--masterauth', password] : [];
      const args = ['--repl-diskless-sync-delay', 0, '--repl-ping-replica-period', 1, ...auth];
      for (let i = 0; i < 3; i += 1) {
        const of = i ? ['--replicaof', '127.0.0.1', this.servers[0].port] : [];
        this.servers.push(await redisServer.start({ password, args: [...args, ...of] }));
      }
      // What they see first they know at once, and look for more every 10 s.
      await this.untilReplicated(this.servers[0]);
      const options = { monitor: this.servers[0].port, server: { password }, downAfter };
      for (let i = 0; i < 3; i += 1) {
        const made = { ...options, password: sentinelPassword };
        this.sentinels.push(await redisServer.start(made, Sentinel));
      }
      await this.untilReady();
      return this;
    } catch (err) {
      await this.stop();
      throw err;
    }
  }

  async stop() {
    await Promise.all([...this.sentinels, ...this.servers].map((server) => server.stop()));
  }

  /** As a test's target: see service.js. */
  options(more) {
    const sentinels = this.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
    const { password, sentinelPassword } = this;
    return { sentinels, name: NAME, password, sentinelPassword, ...more };
  }

  /** Each sentinel is listened to by so many services. */
  async untilHeard(count) {
    const heard = async (sentinel) => {
      const clients = await sentinel.clients();
      return clients.filter(({ sub }) => sub === HEARS).length === count;
    };
    await until(
      async () => (await Promise.all(this.sentinels.map(heard))).every(Boolean),
      `${count} listeners at each sentinel`,
      DEADLINE,
    );
  }

  /** A sentinel that lives. */
  get sentinel() {
    return this.sentinels.find(({ process: alive }) => alive);
  }

  /** The primary, as a sentinel sees it. */
  async primary() {
    const [, port] = await this.sentinel.ask('get-master-addr-by-name');
    return this.servers.find((server) => server.port === Number(port));
  }

  /** Options of a user at the sentinels that may not ask for the others: only those listed are heard. */
  async userOfTheListed() {
    const may = ['&*', '+subscribe', '+ping', '+hello', '+client|kill'];
    for (const asks of ['get-master-addr-by-name', 'master', 'myid']) may.push(`+sentinel|${asks}`);
    for (const sentinel of this.sentinels) {
      await sentinel.run(0, 'acl', 'setuser', 'listed', 'reset', 'on', '>listed', ...may);
    }
    return { sentinelUsername: 'listed', sentinelPassword: 'listed' };
  }

  /** As an operator asks for it, at one of them: by its number. */
  async failOver(leader) {
    const sentinel = leader === undefined ? this.sentinel : this.sentinels[leader];
    const taken = () =>
      sentinel.ask('failover').then(
        () => true,
        (err) => {
          // A replica has not answered its last ping yet.
          if (!/NOGOODSLAVE/.test(err.message)) throw err;
        },
      );
    await until(taken, 'a failover that begins', DEADLINE);
  }

  /** One that is not `before`, once it takes writes. */
  nextPrimary(before) {
    const moved = async () => {
      const primary = await this.primary();
      return primary !== before && (await isPrimary(primary)) && primary;
    };
    return until(moved, 'a new primary', DEADLINE);
  }

  /** No sentinel has more to tell. */
  async untilAgreed(primary) {
    const agreed = async () => {
      const seen = await Promise.all(this.sentinels.map((each) => each.view()));
      return seen.every(({ port, flags }) => Number(port) === primary.port && flags === 'master');
    };
    await until(agreed, 'sentinels of one mind', DEADLINE);
  }

  async untilReplicated(primary) {
    const synced = async () => {
      const info = await primary.run(0, 'info', 'replication');
      return (info.match(/state=online/g) || []).length === 2;
    };
    await until(synced, 'two replicas', DEADLINE);
  }

  async untilReady() {
    const ready = async () => {
      const views = await Promise.all(this.sentinels.map((sentinel) => sentinel.view()));
      const see = await Promise.all(this.sentinels.map((sentinel) => sentinel.seesReplicas()));
      return views.every(
        (view, i) =>
          view.flags === 'master' &&
          see[i] &&
          view['num-other-sentinels'] === '2' &&
          view.port === views[0].port,
      );
    };
    await until(ready, 'sentinels that know each other and the servers', DEADLINE);
  }

  /** All that was acknowledged is at the replicas too. */
  async replicated() {
    const primary = await this.primary();
    // WAIT is about the writes of its own connection, and replication keeps their order.
    await primary.run(0, 'set', 'replicated', '1');
    const count = await primary.run(0, 'wait', 2, DEADLINE);
    if (count !== 2) throw new Error(`${count} replicas have got it`);
    return primary;
  }

  /** A former primary, which is up, follows the new one; the sentinels see it well again. */
  async rejoin(server) {
    const primary = await this.primary();
    await demote(server, primary);
    await server.run(0, 'client', 'unpause');
    await this.untilReplicated(primary);
    await this.untilReady();
  }

  /** Everybody is up and in its place, empty; what Sentinel does in its own time is done now. */
  async heal() {
    for (const server of [...this.servers, ...this.sentinels]) {
      if (server.process) server.resume();
      else await server.up();
    }
    const primary = await this.nextPrimary();
    await this.untilAgreed(primary);
    for (const server of this.servers) {
      await server.run(0, 'client', 'unpause');
      if (server !== primary) await demote(server, primary);
    }
    await primary.flush();
    await this.untilReplicated(primary);
    for (const sentinel of this.sentinels) await sentinel.run(0, 'sentinel', 'reset', NAME);
    await this.untilReady();
    return primary;
  }
}

async function isPrimary(server) {
  const [role] = await server.run(0, 'role');
  return role === 'master';
}

/** As Sentinel does. */
async function demote(server, primary) {
  await server.run(0, 'replicaof', '127.0.0.1', primary.port);
  await server.killClients();
}

module.exports = { Group, Sentinel, NAME, HEARS, SOON };
