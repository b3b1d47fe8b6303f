'use strict';
/**
 * One contestant in one round: a cluster of its own (master, 3 connectors, 1 chat server, Redis), real
 * clients of one kind, and for each channel size what a push costs, how long it takes and how many a
 * second are possible. Which contestants, and what becomes of the figures, is not decided here.
 */

const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { startCluster } = require('../../demo/cluster');
const { cpuTime, mainThreadTime } = require('./cpu');
const { quantile } = require('./quantiles');
const { highestRate } = require('./search');
const { Users } = require('./users');

const CHAT = 'chat-1';
const DRIVER = path.join(__dirname, 'driver.js');
/** So many users, whose uids begin so, that the lists of three connectors get names (lib/lists/): those of 2 KB and more do. */
const LONG = { size: 30, prefix: 'long-'.repeat(50) };

class Round {
  constructor(cluster, clients, { arrival, prefix } = {}) {
    this.cluster = cluster;
    this.users = new Users(cluster, { deflate: clients === 'deflate', arrival, prefix });
    this.lastPush = 0;
  }

  /** Brings the channel of `size` members into being, the clients of the one before in it. */
  async fill(channel, size) {
    await this.users.grow(size);
    for (const { id } of this.cluster.connectors) {
      const uids = this.users.members.filter(({ sid }) => sid === id).map(({ uid }) => uid);
      if (uids.length > 0) await this.cluster.call(CHAT, 'add', channel, uids, id);
    }
  }

  /**
   * Pushes `options.count` times as the driver's function `how` does. Throws if a client did not get
   * each push once, in order. `due(witness, numbers)` are those that a witness should get.
   */
  async pushes(how, options, due = (_, numbers) => numbers) {
    const { count } = options;
    const first = this.lastPush + 1;
    this.lastPush += count;
    await this.users.begin(first, count);
    const traffic = await this.cluster.ask(CHAT, 'rpcTraffic');
    const segments = this.segments();
    const before = this.readings();
    const made = await this.cluster.ask(CHAT, how, { first, ...options }).catch((error) => {
      // Where clients gave up, their users could not be reached.
      throw this.users.problem ?? error;
    });
    const numbers = Array.from({ length: count }, (_, i) => first + i);
    const { last, compressed } = await this.users.end(first, count, (i) => due(i, numbers));
    const cost = this.since(before);
    const { out, in: back } = await this.cluster.ask(CHAT, 'rpcTraffic');
    cost.segments = this.segments() - segments;
    cost.bytesOut = out - traffic.out;
    cost.bytesIn = back - traffic.in;
    return {
      cost,
      compressed,
      failures: made.filter(({ failed }) => failed).length,
      last: made.map(({ n, at }) => last.get(n) - at),
      answer: made.map(({ at, answered }) => answered - at),
    };
  }

  readings() {
    const { servers, connectors, store } = this.cluster;
    const pid = (id) => servers.get(id).pid;
    return {
      elapsed: performance.now(),
      chat: cpuTime(pid(CHAT)),
      chatMain: mainThreadTime(pid(CHAT)),
      connectors: connectors.reduce((sum, { id }) => sum + cpuTime(pid(id)), 0),
      redis: cpuTime(store.pid),
      clients: this.users.pids.reduce((sum, one) => sum + cpuTime(one), 0),
    };
  }

  since(before) {
    const now = Object.entries(this.readings());
    return Object.fromEntries(now.map(([key, value]) => [key, value - before[key]]));
  }

  /** TCP segments with data that the chat server has sent to connectors; NaN without `ss`. */
  segments() {
    const toConnectors = this.cluster.connectors.map(({ port }) => `dport = :${port}`).join(' or ');
    try {
      const shown = execFileSync('ss', ['-tinOH', `( ${toConnectors} )`], { encoding: 'utf8' });
      const counts = [...shown.matchAll(/data_segs_out:(\d+)/g)];
      return counts.reduce((sum, [, count]) => sum + Number(count), 0);
    } catch {
      return NaN;
    }
  }

  /**
   * What servers spend when there are no pushes, on timers and the master, which is no part of a push: per
   * ms. The least of so many seconds, since in others V8 cleans up after the pushes before.
   */
  async rest(seconds) {
    const windows = [];
    for (let i = 0; i < seconds; i += 1) {
      const before = this.readings();
      await pause(1000);
      windows.push(this.since(before));
    }
    return (key) => Math.min(...windows.map((window) => window[key] / window.elapsed));
  }

  /** Many pushes to few, until V8 has compiled what each push and RPC runs through. */
  async warmUp({ size, count, rate }) {
    const channel = `warm-up-${this.users.prefix}`;
    await this.fill(channel, size);
    // On a busy machine 0.0.7 does not keep up if it compresses, and an answer may come too late.
    await this.pushes('pushAtRate', { channel, count, interval: 1000 / rate, mayFail: true });
  }

  async measure(size, plan) {
    const channel = `channel-${size}`;
    await this.fill(channel, size);
    const paced = { channel, count: plan.count, interval: 1000 / plan.rate };
    // At twice the rate; where 0.0.7 cannot keep up with that, an answer may come too late.
    const { warmUp } = plan;
    const hurried = { channel, count: warmUp, interval: paced.interval / 2, mayFail: true };
    await this.pushes('pushAtRate', hurried);
    const resting = await this.rest(plan.idle);
    const { cost, last, answer, compressed } = await this.pushes('pushAtRate', paced);
    const perPush = (key) => (cost[key] - resting(key) * cost.elapsed) / plan.count;
    const figures = {
      cpu: Object.fromEntries(
        ['chat', 'chatMain', 'connectors', 'redis', 'clients'].map((key) => [key, perPush(key)]),
      ),
      rpc: {
        bytesOut: cost.bytesOut / plan.count,
        bytesIn: cost.bytesIn / plan.count,
        segments: cost.segments / plan.count,
        bytesChanged: await this.changed(channel, plan),
      },
      sends: await this.sends(paced),
      last,
      answer,
      compressed,
      fanOut: await this.fanOut(),
    };
    if (plan.limit) figures.highest = await this.highest(channel, figures, plan);
    if (plan.profiles) await this.profile(paced, plan.profiles);
    return figures;
  }

  /**
   * CPU time of the connectors' native calls per push, in ms: what the system takes for one `send()` to each client. In pushes
   * of their own, which are not slowed down elsewhere. Null where there are none.
   */
  async sends(paced) {
    const { connectors } = this.cluster;
    const all = (name) => Promise.all(connectors.map(({ id }) => this.cluster.ask(id, name)));
    await all('timeSends');
    await this.pushes('pushAtRate', paced);
    const spent = await all('timeOfSends');
    return spent.includes(null) ? null : spent.reduce((sum, ms) => sum + ms, 0) / paced.count;
  }

  /** RPC bytes per push when one member, the first witness, has left or come back before each. */
  async changed(channel, { changes }) {
    const [{ uid, sid }] = this.users.members;
    const options = { channel, count: changes, interval: 20, uid, sid };
    const due = (i, numbers) => (i === 0 ? numbers.filter((_, at) => at % 2 === 1) : numbers);
    const { cost } = await this.pushes('pushWithChanges', options, due);
    return cost.bytesOut / changes;
  }

  /** Of all frontends together, what `stats().fanOut` has counted; null where there is none. */
  async fanOut() {
    const all = await Promise.all(
      this.cluster.connectors.map(({ id }) => this.cluster.ask(id, 'fanOut')),
    );
    return all.every(Boolean) ? all : null;
  }

  /** Pushes per second with a p99 of at most `limit.p99` ms to the last client. */
  async highest(channel, { cpu }, { limit }) {
    const cost = cpu.chat + cpu.connectors + cpu.redis + cpu.clients;
    const guess = (800 * limit.cores) / cost;
    return highestRate(guess, async (rate) => {
      const count = Math.max(30, Math.round(rate * limit.seconds));
      const options = { channel, count, interval: 1000 / rate, mayFail: true };
      const { last, failures } = await this.pushes('pushAtRate', options);
      return failures === 0 && quantile(last, 0.99) <= limit.p99;
    });
  }

  async profile(paced, prefix) {
    const servers = [CHAT, this.cluster.connectors[0].id];
    const all = (name, argOf) =>
      Promise.all(servers.map((id) => this.cluster.ask(id, name, argOf(id))));
    await all('startProfile', () => null);
    await this.pushes('pushAtRate', paced);
    await all('stopProfile', (id) => `${prefix}-${id}.cpuprofile`);
  }
}

/**
 * Returns `{size: figures}`. `plan(size)` says how many pushes, and how fast; `warmUp` the same of those before
 * all others, `arrival` how many milliseconds are waited for messages that do not come. `onSize(size, figures)` is
 * called as they come.
 */
async function runRound(
  { plugin, options },
  clients,
  sizes,
  plan,
  { warmUp, arrival, onSize } = {},
) {
  const cluster = await startCluster({
    chats: 1,
    extension: DRIVER,
    globalChannel: options,
    env: { GLOBALCHANNEL_PLUGIN: plugin, CLIENT_HEARTBEAT: '0' },
  });
  try {
    const round = new Round(cluster, clients, { arrival });
    const figures = {};
    if (warmUp) {
      await round.warmUp(warmUp);
      const { size, prefix } = LONG;
      await new Round(cluster, clients, { arrival, prefix }).warmUp({ ...warmUp, size });
    }
    for (const size of [...sizes].sort((a, b) => a - b)) {
      figures[size] = await round.measure(size, plan(size));
      onSize?.(size, figures[size]);
    }
    const deaths = cluster.deaths();
    if (deaths.length > 0) throw new Error(deaths.join('\n'));
    return figures;
  } finally {
    await cluster.stop();
  }
}

module.exports = { LONG, runRound };
