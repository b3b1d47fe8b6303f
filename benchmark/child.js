'use strict';
/**
 * The process of a contestant, started by fork: creates the service, then measures the cells that it is sent, one at a
 * time. Argument: `{options, contestant}` as JSON, where the options locate the store.
 */

const { createApp } = require('../__test__/support/app');
const { started } = require('../__test__/support/service');
const { serviceOptions } = require('./managers');
const { closedLoop, oneByOne } = require('./loop');
const { measureMemory } = require('./memory');
const { SERVER_TYPE, SIDS } = require('./names');
const { OtherProcess } = require('./other');
const { createWorkload } = require('./workload');

const { options, contestant } = JSON.parse(process.argv[2]);

let onRpc;
let other;
const app = createApp({
  servers: SIDS.map((id) => ({ id, serverType: SERVER_TYPE, frontend: 'true' })),
});
// The stub RPC. It answers in a later tick, as a network does, without delay and without serialising anything: the
// plugin is measured, not pomelo-rpc. The frontends take no names for lists, as those of 0.0.7.
app.rpcInvoke = (sid, { namespace, args }, cb) => {
  if (namespace !== 'sys') {
    process.nextTick(cb, new Error(`no such namespace:${namespace}`));
    return;
  }
  onRpc(sid, args[1], args[2]);
  process.nextTick(cb, null, []);
};

async function start() {
  const opts = serviceOptions(contestant);
  const service = await started({ options: () => options }, opts, app, contestant.impl);
  process.on('message', async ({ cell, timing }) => {
    try {
      const run = cell.kind === 'memory' ? measureMemory : measureCell;
      process.send({ result: await run(service, cell, timing) });
    } catch (err) {
      process.send({ error: err.stack || String(err) });
    }
  });
  process.send({ ready: true });
}

async function measureCell(service, cell, timing) {
  if (cell.byOther) other = other || new OtherProcess(process.argv[2]);
  const workload = createWorkload(service, cell, other);
  onRpc = workload.rpc;
  global.gc();
  const before = statsOf(service);
  const figures = await (cell.kind === 'cold'
    ? oneByOne(workload, cell)
    : closedLoop(workload, cell, { ...timing, ...warmUpOf(cell, timing) }));
  // Changes that were asked of the other process and not made yet: with many, fewer were made per push than the cell says.
  const behind = cell.byOther ? { behind: other.underWay } : {};
  if (cell.byOther) await other.idle();
  const notes = workload.finish ? workload.finish() : {};
  return { ...figures, ...behind, ...notes, ...difference(before, statsOf(service)) };
}

/** Pushes with hundreds in flight take half a second until V8's heap has grown to what they keep. */
const HEAP_GROWS = 0.5;
const PUSHES = ['push', 'churn', 'union'];

const warmUpOf = ({ kind, warmUpCalls }, { seconds, warmUp }) => ({
  ...(warmUpCalls ? { warmUpCalls } : {}),
  ...(PUSHES.includes(kind) && seconds > 0.1 ? { warmUp: Math.max(warmUp, HEAP_GROWS) } : {}),
});

/** Returns cache hits and batches from `stats()`, warm-up included. Only our package has it. */
function statsOf(service) {
  if (typeof service.stats !== 'function') return null;
  const { commands, batches, cache } = service.stats();
  const calls = Object.values(commands).reduce((sum, count) => sum + count, 0);
  return { calls, batches, hits: cache.hits, misses: cache.misses, rereads: cache.rereads };
}

function difference(before, after) {
  if (!before) return {};
  const counts = Object.keys(after).map((name) => [name, after[name] - before[name]]);
  return { stats: Object.fromEntries(counts) };
}

// Ends with the run, even if that was killed.
process.on('disconnect', () => process.exit());

start().catch((err) => process.send({ error: err.stack }));
