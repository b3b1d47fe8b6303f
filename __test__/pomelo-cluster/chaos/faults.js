'use strict';

/**
 * Random faults of a cluster, one at a time in each of two lanes: servers are killed, stopped and started again, and the
 * store (stores.js) and the links to it fail. It notes what is disturbed at a moment, and what has happened.
 */

const { pause } = require('../../support/until');

/** `tools` are `{cluster, store, random, leaseTtl}`. */
module.exports = function createFaults({ cluster, store, random, leaseTtl }) {
  /** How many faults disturb a server, the `store`, or are under way in a lane; and how many have begun. */
  const disturbed = new Map();
  const begun = new Map();
  const counts = {};
  const lines = [];
  const state = { isOn: true };
  let lanes;
  /** The master has to be there when a server starts. */
  let master = Promise.resolve();

  /** Shorter than the lease, or longer. */
  const brief = () => random.between(100, leaseTtl / 4);
  const long = () => random.between(leaseTtl * 1.2, leaseTtl * 2);
  const some = () => (random.below(2) ? brief() : long());

  const connector = () => random.pick(cluster.connectors).id;
  const anyServer = () => random.pick([...cluster.servers.keys()]);

  const SERVERS = {
    'connector killed, started at once': () => restart(connector(), 'SIGKILL', 0),
    'connector killed, started later': () => restart(connector(), 'SIGKILL', some()),
    'connector stopped in order': () => restart(connector(), 'SIGTERM', brief()),
    'connector halted within its lease': () => halt(connector(), brief()),
    'connector halted beyond its lease': () => halt(connector(), long()),
    'chat server killed': () => restart('chat-1', 'SIGKILL', some()),
    'chat server halted': () => halt('chat-1', long()),
    'master killed': () => {
      master = restart('master', 'SIGKILL', some());
      return master;
    },
    'master halted': () => {
      master = halt('master', long());
      return master;
    },
  };

  const LINKS = {
    'link cut': () => cut(anyServer(), 0),
    'link silent within the lease': () => cut(anyServer(), brief()),
    'link silent beyond the lease': () => cut(connector(), long()),
  };

  const STORE = {
    ...store.faults({ random, during, brief, long, some }),
    ...(store.cut && LINKS),
  };

  return {
    begin,
    end,
    isDisturbed: (...ids) => ids.some((id) => disturbed.get(id) > 0),
    counts,
    lines,
  };

  /** The promise rejects when one of them has failed. */
  function begin() {
    lanes = Promise.all([lane('servers', SERVERS), lane('stores', STORE)]);
    // Awaited in `end` too.
    lanes.catch(() => {});
    return lanes;
  }

  /** Resolves when all is in order again. */
  function end() {
    state.isOn = false;
    return lanes;
  }

  /** Each kind once in random order, then again. */
  async function lane(which, kinds) {
    let left = [];
    await pause(random.between(500, 2000));
    while (state.isOn) {
      if (left.length === 0) left = Object.keys(kinds);
      const [name] = left.splice(random.below(left.length), 1);
      counts[name] = (counts[name] || 0) + 1;
      lines.push(`${Math.round(performance.now())} ${name}`);
      await during([which], kinds[name]);
      lines.push(`${Math.round(performance.now())} over: ${name}`);
      await pause(random.between(500, leaseTtl / 2));
    }
  }

  async function during(ids, run) {
    const add = (map, by) => ids.forEach((id) => map.set(id, (map.get(id) || 0) + by));
    const change = (by) => add(disturbed, by);
    change(1);
    add(begun, 1);
    try {
      return await run();
    } finally {
      change(-1);
    }
  }

  function restart(id, signal, ms) {
    return during([id], async () => {
      const { exit, log } = cluster.servers.get(id);
      if (exit) throw new Error(`${id} ended by itself: ${JSON.stringify(exit)}\n${log()}`);
      await cluster.stopServer(id, signal);
      await pause(ms);
      if (id !== 'master') await master;
      await started(id);
    });
  }

  /** Starts a server, as a supervisor does: again if the store could not be reached in time. */
  async function started(id) {
    for (;;) {
      const before = begun.get('stores');
      const wasDisturbed = disturbed.get('stores') > 0;
      try {
        return await cluster.startServer(id);
      } catch (err) {
        if (!wasDisturbed && begun.get('stores') === before) throw err;
        lines.push(`${Math.round(performance.now())} ${id} is started again`);
        await cluster.stopServer(id, 'SIGKILL');
      }
    }
  }

  function halt(id, ms) {
    return during([id], async () => {
      const { child } = cluster.servers.get(id);
      child.kill('SIGSTOP');
      await pause(ms);
      child.kill('SIGCONT');
    });
  }

  function cut(id, ms) {
    return during([id], () => store.cut(id, ms));
  }
};
