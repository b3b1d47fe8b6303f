'use strict';

/**
 * Random faults of a cluster, one at a time in each of two lanes: servers are killed, stopped and started again, and the
 * store (stores.js) and the links to it fail. It notes what is disturbed at a moment, and what has happened.
 */

const { pause } = require('../../support/until');

/** `tools` are `{cluster, store, random, leaseTtl}`. */
module.exports = function createFaults({ cluster, store, random, leaseTtl }) {
  /** How many faults disturb a server, or the `store`. */
  const disturbed = new Map();
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

  function begin() {
    lanes = Promise.all([lane(SERVERS), lane(STORE)]);
    // Awaited in `end`.
    lanes.catch(() => {});
  }

  /** Resolves when all is in order again. */
  function end() {
    state.isOn = false;
    return lanes;
  }

  /** Each kind once in random order, then again. */
  async function lane(kinds) {
    let left = [];
    await pause(random.between(500, 2000));
    while (state.isOn) {
      if (left.length === 0) left = Object.keys(kinds);
      const [name] = left.splice(random.below(left.length), 1);
      counts[name] = (counts[name] || 0) + 1;
      lines.push(`${Math.round(performance.now())} ${name}`);
      await kinds[name]();
      lines.push(`${Math.round(performance.now())} over: ${name}`);
      await pause(random.between(500, leaseTtl / 2));
    }
  }

  async function during(ids, run) {
    const change = (by) => ids.forEach((id) => disturbed.set(id, (disturbed.get(id) || 0) + by));
    change(1);
    try {
      return await run();
    } finally {
      change(-1);
    }
  }

  function restart(id, signal, ms) {
    return during([id], async () => {
      await cluster.stopServer(id, signal);
      await pause(ms);
      if (id !== 'master') await master;
      await cluster.startServer(id);
    });
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
