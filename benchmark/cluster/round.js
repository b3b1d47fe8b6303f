'use strict';
/**
 * One contestant in one round: a cluster of its own (master, 3 connectors, 1 chat server, Redis),
 * real clients, and for each channel size what a push costs and how long it takes. Which
 * contestants, and what becomes of the figures, is not decided here.
 */

const { execFileSync } = require('child_process');
const path = require('path');
const { setTimeout: pause } = require('timers/promises');
const { startCluster } = require('../../demo/cluster');
const { until } = require('../../demo/processes');
const { cpuTime, mainThreadTime } = require('./cpu');

const CHAT = 'chat-1';
const DRIVER = path.join(__dirname, 'driver.js');
const USERS = path.join(__dirname, 'users.js');
const USER_PROCESSES = 2;
const COMMAND_TIMEOUT = 120000;

class Round {
  constructor(cluster) {
    this.cluster = cluster;
    this.members = [];
    this.users = Array.from({ length: USER_PROCESSES }, (_, i) => {
      const users = cluster.processes.start(`users-${i + 1}`, process.execPath, [USERS], {
        ipc: true,
      });
      users.onMessage = (answer) => (users.answer = answer);
      return users;
    });
    this.lastPush = 0;
  }

  /** Tells each user process something and returns the answers. */
  tell(command, argsOf = () => ({})) {
    return Promise.all(
      this.users.map(async (users, i) => {
        users.answer = null;
        users.send({ command, args: argsOf(i) });
        await until(
          () => users.answer || users.exit,
          `${users.name} to ${command}`,
          COMMAND_TIMEOUT,
        );
        const { value, error } = users.answer || { error: users.log() };
        if (error) throw new Error(`${users.name}: ${error}`);
        return value;
      }),
    );
  }

  /** Brings the channel of `size` members into being, the clients of the one before in it. */
  async fill(channel, size) {
    const { connectors, chats } = this.cluster;
    const missing = size - this.members.length;
    const part = (i) => Math.floor((missing + i) / USER_PROCESSES);
    const added = await this.tell('connect', (i) => ({
      cluster: { connectors, chats },
      count: part(i),
      prefix: `user-${i + 1}-`,
    }));
    this.members.push(...added.flat());
    for (const { id } of connectors) {
      const uids = this.members.filter(({ sid }) => sid === id).map(({ uid }) => uid);
      if (uids.length > 0) await this.cluster.call(CHAT, 'add', channel, uids, id);
    }
  }

  /** Pushes, sees that each client got each of them once, and how long the last one waited. */
  async pushes(how, options) {
    const first = this.lastPush + 1;
    this.lastPush += options.count;
    await this.tell('begin');
    const traffic = await this.cluster.ask(CHAT, 'rpcTraffic');
    const packets = this.packets();
    const before = this.readings();
    const made = await this.cluster.ask(CHAT, how, { first, ...options });
    const cost = this.since(before);
    const { out, in: back } = await this.cluster.ask(CHAT, 'rpcTraffic');
    cost.packetsOut = this.packets() - packets;
    cost.bytesOut = out - traffic.out;
    cost.bytesIn = back - traffic.in;
    const reports = await this.tell('end');
    const latencies = made.map(({ n, at, answered }) => {
      const seen = reports.map(({ arrived }) => arrived.find(([number]) => number === n));
      const copies = seen.reduce((sum, entry) => sum + (entry ? entry[1] : 0), 0);
      if (copies !== this.members.length) {
        throw new Error(`push ${n} came ${copies} times to ${this.members.length} clients`);
      }
      return { last: Math.max(...seen.map((entry) => entry[2])) - at, answer: answered - at };
    });
    return { cost, latencies, lag: Math.max(...reports.map(({ lag }) => lag.p99)) };
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
      users: this.users.reduce((sum, users) => sum + cpuTime(users.pid), 0),
    };
  }

  since(before) {
    const now = Object.entries(this.readings());
    return Object.fromEntries(now.map(([key, value]) => [key, value - before[key]]));
  }

  /** TCP segments with data that the chat server has sent to connectors; NaN without `ss`. */
  packets() {
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
   * What servers spend when nobody pushes, on heartbeats and timers, which is no part of a push: per
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

  async measure(size, { warmUp, single, paced, rate, idle, profile }) {
    const channel = `channel-${size}`;
    await this.fill(channel, size);
    await this.pushes('pushOneByOne', { channel, count: warmUp, gap: 5 });

    const latency = await this.pushes('pushOneByOne', { channel, count: single, gap: 100 });

    const resting = await this.rest(idle);
    const { cost, lag } = await this.pushes('pushAtRate', {
      channel,
      count: paced,
      interval: 1000 / rate,
    });
    let shares;
    if (profile) {
      await this.cluster.ask(CHAT, 'startProfile');
      await this.pushes('pushAtRate', { channel, count: paced, interval: 1000 / rate });
      shares = await this.cluster.ask(CHAT, 'stopProfile');
    }
    const perPush = (key) => (cost[key] - resting(key) * cost.elapsed) / paced;
    return {
      cpu: Object.fromEntries(
        ['chat', 'chatMain', 'connectors', 'redis', 'users'].map((key) => [key, perPush(key)]),
      ),
      rpc: {
        bytesOut: cost.bytesOut / paced,
        bytesIn: cost.bytesIn / paced,
        packetsOut: cost.packetsOut / paced,
      },
      last: latency.latencies.map(({ last }) => last),
      answer: latency.latencies.map(({ answer }) => answer),
      // How late the clients' processes were themselves, in the quiet and in the busy part.
      lag: [latency.lag, lag],
      ...(shares && { shares }),
    };
  }
}

/** Returns `{size: figures}`. `plan(size)` says how many pushes, and how fast. */
async function runRound({ plugin, options }, sizes, plan) {
  const cluster = await startCluster({
    chats: 1,
    extension: DRIVER,
    globalChannel: options,
    env: { GLOBALCHANNEL_PLUGIN: plugin },
  });
  try {
    const round = new Round(cluster);
    const figures = {};
    for (const size of [...sizes].sort((a, b) => a - b)) {
      figures[size] = await round.measure(size, plan(size));
    }
    await round.tell('close');
    const deaths = cluster.deaths();
    if (deaths.length > 0) throw new Error(deaths.join('\n'));
    return figures;
  } finally {
    await cluster.stop();
  }
}

module.exports = { runRound };
