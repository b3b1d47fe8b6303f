'use strict';
/**
 * `npm run demo`: 60 real WebSocket clients on the 3 connectors of a real pomelo cluster, in
 * global channels that both chat servers use. Shows push, leave, a second channel and destroy, and
 * checks all that it shows: exit code 0 only if every client got each message due exactly once and
 * no other. The cluster is cluster.js, a client is client.js.
 *
 * DEMO_FAULT (for the test of this check) breaks something: `drop` takes a member away behind the
 * demo's back, `twice` pushes a message again, `stray` lets a member in who should be out.
 */

const { startCluster, PLUGIN } = require('./cluster');
const { connectClients } = require('./client');

const CLIENTS = 60;
const LEAVERS = 20;
const FAULT = process.env.DEMO_FAULT;

const say = (...lines) => console.log(lines.join('\n'));
const all = (clients, route, channel) =>
  Promise.all(clients.map((client) => client.request(`chat.chatHandler.${route}`, { channel })));

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (!interrupted) say('', `${signal}: stopping all processes`);
    interrupted = true;
  });
}

class Demo {
  constructor(cluster, clients) {
    this.cluster = cluster;
    this.clients = clients;
    this.pushes = [];
    this.problems = [];
  }

  /** Pushes a message from a chat server to a channel and shows who got it. */
  async push(from, channel, due, remark) {
    const n = this.pushes.length + 1;
    const push = { n, name: `message ${n}`, due: new Set(due) };
    this.pushes.push(push);
    say('', `${from} pushes ${push.name} to "${channel}": ${remark}`);

    const start = performance.now();
    const message = { n, text: remark, from };
    for (let times = FAULT === 'twice' && n === 2 ? 2 : 1; times > 0; times--) {
      const args = ['connector', 'onChat', message, channel, {}];
      const failed = await this.cluster.call(from, 'pushMessage', ...args);
      if (failed.length > 0) this.problems.push(`${push.name}: failed uids ${failed.join(', ')}`);
    }
    await this.settle();
    this.show(push, start);
  }

  /** Waits until all that was sent to the clients is there. */
  settle() {
    return Promise.all(this.clients.map((client) => client.ping()));
  }

  show({ n, due }, start) {
    const rows = {};
    for (const { id } of this.cluster.connectors) {
      const here = this.clients.filter((client) => client.connector === id);
      const times = here.flatMap(({ messages }) =>
        messages.filter((message) => message.n === n).map(({ at }) => at - start),
      );
      rows[id] = {
        clients: here.length,
        members: here.filter((client) => due.has(client)).length,
        'got it': here.filter(({ messages }) => messages.some((one) => one.n === n)).length,
        'ms to last': times.length > 0 ? Number(Math.max(...times).toFixed(1)) : '-',
      };
    }
    console.table(rows);
  }

  /** At the end, so that a late second copy of any message counts as well. */
  async check() {
    await this.settle();
    for (const { n, name, due } of this.pushes) {
      for (const client of this.clients) {
        const copies = client.messages.filter((message) => message.n === n).length;
        const expected = due.has(client) ? 1 : 0;
        if (copies === expected) continue;
        this.problems.push(`${client.uid} got ${copies} copies of ${name}, expected ${expected}`);
      }
    }
    this.problems.push(...this.cluster.deaths());
    return this.problems;
  }

  async story() {
    const { clients } = this;
    const leavers = clients.slice(0, LEAVERS);
    const stayers = clients.slice(LEAVERS);

    await all(clients, 'join', 'world');
    if (FAULT === 'drop') await all(clients.slice(-1), 'leave', 'world');
    await this.push('chat-1', 'world', clients, 'all clients joined');

    await all(leavers, 'leave', 'world');
    if (FAULT === 'stray') await all(leavers.slice(0, 1), 'join', 'world');
    await this.push('chat-2', 'world', stayers, `${LEAVERS} clients left`);

    await all(leavers, 'join', 'guild');
    await this.push('chat-1', 'guild', leavers, `those ${LEAVERS} joined a second channel`);
    await this.push('chat-2', 'world', stayers, 'the first channel is as it was');

    await this.cluster.call('chat-1', 'destroyChannel', 'world');
    await this.push('chat-2', 'world', [], 'the channel was destroyed, nobody gets it');
    await this.push('chat-1', 'guild', leavers, 'the second channel lives on');
  }
}

async function main() {
  const { name, version } = require(`${PLUGIN}/package.json`);
  say(`Starting Redis and a pomelo cluster with ${name} ${version}`);
  const cluster = await startCluster();
  let clients = [];
  try {
    const servers = [...cluster.servers.values()].map(
      (server) => `${server.name} (pid ${server.pid})`,
    );
    say(`  ${servers.join(', ')}`);
    clients = await connectClients(cluster, CLIENTS);
    say(`${CLIENTS} WebSocket clients connected`);

    const demo = new Demo(cluster, clients);
    await demo.story();
    const problems = await demo.check();
    if (problems.length === 0) {
      say('', 'Every client got each message due exactly once, and no other.');
    } else {
      say('', `FAILED, ${problems.length} problems:`, ...problems.slice(0, 30));
      process.exitCode = 1;
    }
  } finally {
    clients.forEach((client) => client.close());
    await cluster.stop();
  }
}

main().catch((error) => {
  if (interrupted) return;
  console.error(`The demo failed: ${error.message}`);
  process.exitCode = 1;
});
