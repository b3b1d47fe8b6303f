'use strict';

/**
 * Faults during a run. At the store: remove keys, let them expire, cut connections, clear the tracking table, make the store
 * grow, move the slots of a cluster, let its primaries hand over to replicas, let nodes come and go. At the processes: stop them, or kill and restart them. Removals are noted in the history, as wipes.
 */

const { ok } = require('../support/call');
const { pause } = require('../support/until');
const { KEYS, NAMES, SIDS, keyOf, storeKey } = require('./keys');
const { now } = require('./log');

const pick = (list) => list[Math.floor(Math.random() * list.length)];

const MS = 1e6;
/** How far the server's clock for expiry, in whole milliseconds, may be from ours. */
const CLOCK = 10 * MS;

const FEW_KEYS = 10;
const MANY_KEYS = 1000000;

/** ms */
const FROZEN = 200;
const BUSY = 40;
const MOVING = 30;

async function timed(work) {
  const start = now();
  const value = await work();
  return { start, end: now(), value };
}

/**
 * A wipe takes place between `start` and `end`; what was added before `bornBefore` is gone then, what
 * was added later may be.
 */
function wiped(history, keys, wipe) {
  for (const key of keys) {
    history.keys.get(key).wipes.push({ by: 'chaos', bornBefore: wipe.start, ...wipe });
  }
}

const KINDS = {
  async del({ redis, history }) {
    const keys = [pick(KEYS), pick(KEYS)];
    const { start, end } = await timed(() => redis.run(0, 'del', ...keys.map(storeKey)));
    wiped(history, new Set(keys), { start, end, what: 'DEL' });
  },

  async flush({ redis, history }) {
    const { start, end } = await timed(() => redis.run(0, 'flushdb'));
    wiped(history, KEYS, { start, end, what: 'FLUSHDB' });
  },

  async expire({ redis, history, expiring }) {
    // A second PEXPIRE would put the first one off.
    const key = pick(KEYS.filter((key) => !(expiring.get(key) > now())));
    if (!key) return;
    const ms = 30 + Math.floor(Math.random() * 100);
    const set = await timed(() => redis.run(0, 'pexpire', storeKey(key), ms));
    if (set.value === 0) return;
    const end = set.end + ms * MS + CLOCK;
    expiring.set(key, end);
    // Members added after it may have been added to a key that came anew, and will not expire.
    wiped(history, [key], {
      start: set.start + ms * MS - CLOCK,
      end,
      bornBefore: set.start,
      what: `PEXPIRE ${ms}`,
    });
  },

  /** The server remembers fewer keys than there are: it must invalidate some of them all the time. */
  async forget({ redis, passed }) {
    const remember = (keys) => redis.run(0, 'config', 'set', 'tracking-table-max-keys', keys);
    await remember(FEW_KEYS);
    await passed(100);
    await remember(MANY_KEYS);
  },

  async kill({ redis }) {
    const victim = pick(await redis.clients());
    if (victim) await redis.run(0, 'client', 'kill', 'ID', victim.id).catch(() => {});
  },

  async cut({ wire }) {
    const link = pick(wire.alive());
    if (link) pick([link.client, link.server]).destroy();
  },

  /** The slot of a key moves to another node, with a pause in each state of the move. */
  async move({ cluster }) {
    const to = pick(await cluster.primaries()).server;
    await cluster.moveSlotOf(storeKey(pick(KEYS)), to, () => pause(MOVING * Math.random()));
  },

  /** Planned, so that nothing is lost that was acknowledged. */
  async handOver({ cluster }) {
    await cluster.settled();
    await cluster.handOver(await cluster.owner(storeKey(pick(KEYS))));
    await cluster.settled();
  },

  /** A new node gets some slots, also of keys, gives all of them back, and leaves. */
  async visit({ cluster }) {
    const added = await cluster.add();
    const [from] = await cluster.primaries();
    const to = (await cluster.nodes()).find(({ server }) => server === added);
    await cluster.reshard(from, to, 5);
    for (const key of [pick(KEYS), pick(KEYS)]) {
      await cluster.moveSlotOf(storeKey(key), added, () => pause(MOVING * Math.random()));
      await cluster.settled(4);
    }
    const has = (await cluster.primaries()).find(({ server }) => server === added);
    // redis-cli: a primary that has given away its last slot becomes a replica, which refuses to be told of it.
    await cluster.reshard(has, from, countOf(has.slots));
    await cluster.settled(3);
    await cluster.remove(added);
  },

  async clean({ service, history }) {
    const { start, end } = await timed(() => ok(service, 'clean'));
    wiped(history, KEYS, { start, end, what: 'clean' });
  },

  async destroy({ service, history }) {
    const name = pick(NAMES);
    const { start, end } = await timed(() => ok(service, 'destroyChannel', name));
    const keys = SIDS.map((sid) => keyOf(name, sid));
    wiped(history, keys, { start, end, what: 'destroyChannel' });
  },

  async grow({ processes }) {
    pick(processes).child.send('grow');
  },

  /** While it writes, or not. */
  async freeze({ processes }) {
    const victim = pick(processes);
    await busy(victim);
    victim.child.kill('SIGSTOP');
    await pause(FROZEN * Math.random());
    victim.child.kill('SIGCONT');
  },

  async die({ processes }) {
    const victim = pick(processes);
    await busy(victim);
    if (Math.random() < 0.3) {
      victim.child.kill('SIGSTOP');
      await pause(FROZEN * Math.random());
    }
    await victim.renew();
  },
};

/** How many slots there are in ranges as CLUSTER NODES writes them. */
function countOf(slots) {
  const count = (range) => {
    const [first, last = first] = range.split('-').map(Number);
    return last - first + 1;
  };
  return slots.map(count).reduce((sum, each) => sum + each, 0);
}

/** At work on a large write, most likely. */
async function busy({ child }) {
  child.send('grow');
  await pause(BUSY * Math.random());
}

/**
 * In turn one of `kinds` every so many reads, until `running()` is false; `met` counts them. Counted
 * in reads, so that nothing is cut again before it was connected again.
 */
async function chaos(kinds, every, { running, reads, met, ...world }) {
  const expiring = new Map();
  for (const kind of kinds) met[kind] = 0;
  const passed = async (count) => {
    const enough = reads() + 2 * count * Math.random();
    while (running() && reads() < enough) await pause(5);
  };
  for (let i = 0; kinds.length > 0 && running(); i += 1) {
    await passed(every);
    const kind = kinds[i % kinds.length];
    await KINDS[kind]({ ...world, expiring, passed });
    met[kind] += 1;
  }
}

module.exports = { chaos };
