'use strict';
/**
 * What `npm run demo` shows with 60 real WebSocket clients: push, leave, a second channel, destroy, a connector that
 * dies. It passes if every client received each message that was due exactly once, and no other.
 *
 * DEMO_FAULT, for the test of this check, adds an error: `drop` removes a member, `twice` pushes a message again,
 * `stray` adds a member that should have left. `stay` tells nothing after message 2, so that a test can end the demo in the middle.
 */

const { connectClients } = require('./client');
const { waysOut } = require('./fanOut');

const CLIENTS = 60;
const LEAVERS = 20;
/** Far longer than the lease of a connector. */
const PATIENCE = 30000;
const FAULT = process.env.DEMO_FAULT;

const say = (...lines) => console.log(lines.join('\n'));
const all = (clients, route, channel) =>
  Promise.all(clients.map((client) => client.request(`chat.chatHandler.${route}`, { channel })));

class Story {
  constructor(cluster, clients) {
    this.cluster = cluster;
    this.clients = clients;
    this.pushes = [];
    this.problems = [];
    /** The ids of connectors that were killed. */
    this.dead = new Set();
  }

  /** Pushes a message from a chat server to a channel and shows who got it. */
  async push(from, channel, due, remark) {
    const n = this.pushes.length + 1;
    const push = { n, name: `message ${n}`, due: new Set(due) };
    this.pushes.push(push);
    say('', `${from} pushes ${push.name} to "${channel}": ${remark}`);

    const before = await this.inside('cpu');
    const start = performance.now();
    const message = { n, text: remark, from };
    for (let times = FAULT === 'twice' && n === 2 ? 2 : 1; times > 0; times--) {
      const args = ['connector', 'onChat', message, channel, {}];
      const failed = await this.cluster.call(from, 'pushMessage', ...args);
      if (failed.length > 0) this.problems.push(`${push.name}: failed uids ${failed.join(', ')}`);
    }
    // Before the clients ask for anything: what the push has cost.
    const after = await this.inside('cpu');
    await this.settle();
    this.show(
      push,
      start,
      after.map((time, i) => time - before[i]),
    );
  }

  /** Waits until the clients have received everything that was sent. */
  settle() {
    const connected = this.clients.filter(({ connector }) => !this.dead.has(connector));
    return Promise.all(connected.map((client) => client.ping()));
  }

  /** The connectors that run. */
  get connectors() {
    return this.cluster.connectors.filter(({ id }) => !this.dead.has(id));
  }

  /** Calls a function of inside.js in each of them. */
  inside(name) {
    return Promise.all(this.connectors.map(({ id }) => this.cluster.ask(id, name)));
  }

  show({ n, due }, start, cpu) {
    const rows = {};
    for (const [i, { id }] of this.connectors.entries()) {
      const here = this.clients.filter((client) => client.connector === id);
      const times = here.flatMap(({ messages }) =>
        messages.filter((message) => message.n === n).map(({ at }) => at - start),
      );
      rows[id] = {
        clients: here.length,
        members: here.filter((client) => due.has(client)).length,
        'got it': here.filter(({ messages }) => messages.some((one) => one.n === n)).length,
        'ms to last': times.length > 0 ? Number(Math.max(...times).toFixed(1)) : '-',
        'CPU ms': Number(cpu[i].toFixed(1)),
      };
    }
    console.table(rows);
  }

  /** Checks all clients. Called at the end, so that a late duplicate of a message counts as well. */
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

  async tell() {
    const { clients } = this;
    const leavers = clients.slice(0, LEAVERS);
    const stayers = clients.slice(LEAVERS);

    await all(clients, 'join', 'world');
    if (FAULT === 'drop') await all(clients.slice(-1), 'leave', 'world');
    await this.push('chat-1', 'world', clients, 'all clients joined');

    await all(leavers, 'leave', 'world');
    if (FAULT === 'stray') await all(leavers.slice(0, 1), 'join', 'world');
    await this.push('chat-2', 'world', stayers, `${LEAVERS} clients left`);
    if (FAULT === 'stay') await new Promise(() => {});

    await all(leavers, 'join', 'guild');
    await this.push('chat-1', 'guild', leavers, `those ${LEAVERS} joined a second channel`);
    await this.push('chat-2', 'world', stayers, 'the first channel is as it was');

    await this.cluster.call('chat-1', 'destroyChannel', 'world');
    await this.push('chat-2', 'world', [], 'the channel was destroyed, no client gets it');
    await this.push('chat-1', 'guild', leavers, 'the second channel lives on');

    const ways = waysOut(await this.inside('fanOut'));
    if (ways) say('', `How messages left the connectors: ${ways}`);
    await this.kill(leavers);
  }

  /** Kills a connector: its users vanish from the channel "guild", which has these members, when its lease has expired. */
  async kill(members) {
    const [{ id }] = this.connectors.slice(-1);
    if (!(await this.cluster.ask(id, 'membership'))) return;
    const on = (client) => client.connector === id;
    await this.settle();
    say('', `${id} is killed, with ${members.filter(on).length} members of "guild" on it`);
    const start = performance.now();
    this.dead.add(id);
    await this.cluster.stopServer(id, 'SIGKILL');
    const left = async () =>
      (await this.cluster.call('chat-1', 'getMembersBySid', 'guild', id)).length;
    while ((await left()) > 0) {
      if (performance.now() - start > PATIENCE) throw new Error(`${id} still has its members`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    say(`They vanished from the channel ${seconds} s later, with its lease`);
    const others = members.filter((client) => !on(client));
    await this.push('chat-1', 'guild', others, 'only those with a session are members');
  }
}

/** Runs the demo; resolves to the list of problems. */
async function tellStory(cluster) {
  const clients = await connectClients(cluster, CLIENTS);
  try {
    say(`${CLIENTS} WebSocket clients connected`);
    const story = new Story(cluster, clients);
    await story.tell();
    return await story.check();
  } finally {
    clients.forEach((client) => client.close());
  }
}

module.exports = { tellStory };
