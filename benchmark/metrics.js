'use strict';
/**
 * What metrics cost: the rate and the CPU time of calls while prom-client's registry, with this service's metrics, is scraped
 * each second, or each `--every` ms, to those without. Slices of `--seconds` (2) with and without take turns in one process, on a private Redis.
 *
 *   node benchmark/metrics.js [--rounds N] [--seconds N] [--every MS]
 *
 * Prints medians of the ratios of neighbouring slices, and the time of one scrape.
 */

const client = require('prom-client');
const { createApp } = require('../__test__/support/app');
const redisServer = require('../__test__/support/redis');
const { started } = require('../__test__/support/service');
const { call } = require('../__test__/support/call');
const { closedLoop } = require('./loop');
const { SERVER_TYPE, SIDS, channelName, uid } = require('./names');
const { createWorkload } = require('./workload');

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? Number(process.argv[at + 1]) : otherwise;
};

const ROUNDS = option('rounds', 9);
const EVERY = option('every', 1000);
const TIMING = { warmUp: 0.2, warmUpCalls: 100, seconds: option('seconds', 2) };
const MEMBERS = 1000;
const CHANNELS = 67;
const CELLS = [
  { kind: 'add', inFlight: 1 },
  { kind: 'add', inFlight: 512 },
  { kind: 'push', inFlight: 64, members: MEMBERS },
];

let onRpc;

function appOf() {
  const servers = SIDS.map((id) => ({ id, serverType: SERVER_TYPE, frontend: 'true' }));
  const app = createApp({ servers });
  app.rpcInvoke = (sid, { namespace, args }, cb) => {
    if (namespace !== 'sys') return process.nextTick(cb, new Error(`no ${namespace}`));
    onRpc(sid, args[1], args[2]);
    return process.nextTick(cb, null, []);
  };
  return app;
}

/** Registers the metrics and scrapes them, the first time at once; returns what ends it. */
function scrape(service, times) {
  const register = new client.Registry();
  const unregister = service.registerMetrics({ client, register });
  const once = async () => {
    const began = process.hrtime.bigint();
    await register.metrics();
    times.push(Number(process.hrtime.bigint() - began) / 1e6);
  };
  once();
  const timer = setInterval(once, EVERY);
  return () => {
    clearInterval(timer);
    unregister();
  };
}

const median = (all) => all.sort((a, b) => a - b)[all.length >> 1];

async function measure(service, cell) {
  const workload = createWorkload(service, cell);
  onRpc = workload.rpc;
  const slice = async () => {
    const { ops, seconds, processCpu } = await closedLoop(workload, cell, TIMING);
    return { rate: ops / seconds, cpu: processCpu / ops };
  };
  const [rates, cpus, times] = [[], [], []];
  let without = await slice();
  for (let round = 0; round < ROUNDS; round += 1) {
    const stop = scrape(service, times);
    const scraped = await slice();
    stop();
    const after = await slice();
    rates.push((2 * scraped.rate) / (without.rate + after.rate));
    cpus.push((2 * scraped.cpu) / (without.cpu + after.cpu));
    without = after;
  }
  const figures = [median(rates), median(cpus)].map((ratio) => ratio.toFixed(3));
  console.log(
    `${cell.kind}, ${cell.inFlight} in flight: rate ${figures[0]}, CPU ${figures[1]} of without; a scrape ${median(times).toFixed(2)} ms`,
  );
}

async function main() {
  const server = await redisServer.start();
  const service = await started(server, { commandTimeout: 60000 }, appOf());
  try {
    for (let c = 0; c < CHANNELS; c += 1) {
      const uids = Array.from({ length: MEMBERS }, (_, n) => uid(n));
      for (const sid of SIDS) await service.promises.add(channelName(c), uids, sid);
    }
    for (const cell of CELLS) await measure(service, cell);
  } finally {
    await call(service, 'stop', true);
    await server.stop();
  }
}

main();
