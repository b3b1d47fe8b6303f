'use strict';
/**
 * From the records of all rounds to the figures of the report: medians over rounds, and ratios to
 * 0.0.7 in the same round. How they look is report.js's business.
 */

const BASELINE = 'old';

/** Contestants in the order of the table's columns. */
const contestants = [
  { id: BASELINE, label: '0.0.7', plugin: 'pomelo-globalchannel-plugin', options: {} },
  { id: 'ours', label: 'ours', options: {} },
  {
    id: 'delayed',
    label: 'ours, `rpcNoDelay: false`',
    options: { rpcNoDelay: false },
  },
];

function quantile(values, part) {
  const known = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  if (known.length === 0) return null;
  return known[Math.min(known.length - 1, Math.floor(known.length * part))];
}

function median(values) {
  const known = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  if (known.length === 0) return null;
  const middle = known.length >> 1;
  return known.length % 2 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
}

const micro = (ms) => ms * 1000;

/** Rows of the table: what each makes of one record, or of all together where one has too few. */
const METRICS = [
  ['from push to last client, p50, ms', ({ last }) => quantile(last, 0.5)],
  ['from push to last client, p99, ms', ({ last }) => quantile(last, 0.99), ({ last }) => last],
  ['from push to its callback, p50, ms', ({ answer }) => quantile(answer, 0.5)],
  ['chat server, CPU µs', ({ cpu }) => micro(cpu.chat)],
  ['– of it the main thread', ({ cpu }) => micro(cpu.chatMain)],
  ['the three connectors, CPU µs', ({ cpu }) => micro(cpu.connectors)],
  ['Redis, CPU µs', ({ cpu }) => micro(cpu.redis)],
  ['RPC bytes to the connectors', ({ rpc }) => rpc.bytesOut],
  ['RPC bytes back', ({ rpc }) => rpc.bytesIn],
  ['TCP segments to the connectors', ({ rpc }) => rpc.packetsOut],
  ['(clients late by themselves, p99, ms)', ({ lag }) => Math.max(0, lag[0])],
].map(([title, of, pool]) => ({ title, of, pool }));

const METRIC = Object.fromEntries(
  ['last', 'p99', 'answer', 'chat', 'chatMain', 'connectors', 'redis'].map((name, i) => [
    name,
    METRICS[i],
  ]),
);

/** What issue 3 hopes for. */
const AIMS = [
  { title: 'chat server CPU per push at 1000 members', size: 1000, metric: METRIC.chat, aim: 0.65 },
  { title: 'Redis CPU per push', size: 1000, metric: METRIC.redis, aim: 0.05 },
];

/** The median over the rounds; the p99 is that of the pushes of all rounds. */
function figure(records, size, id, { of, pool }) {
  const own = records.filter((record) => record.size === size && record.contestant === id);
  return pool ? quantile(own.flatMap(pool), 0.99) : median(own.map(of));
}

/** Of the ratios within each round, the median. */
function ratio(records, size, id, metric) {
  const same = (one, other) => one.round === other.round && one.size === other.size;
  const pairs = records
    .filter((record) => record.size === size && record.contestant === id)
    .map((record) => [
      record,
      records.find((other) => same(record, other) && other.contestant === BASELINE),
    ]);
  return median(pairs.map(([own, base]) => (base ? metric.of(own) / metric.of(base) : NaN)));
}

/**
 * Whose CPU time a push is, over all servers and Redis, as shares of 1. The plugin's part is what
 * the profile of the chat server's main thread says, and that process's other threads.
 */
function shares(records, size, id) {
  const cpu = (metric) => figure(records, size, id, metric);
  const [chat, main, connectors, redis] = ['chat', 'chatMain', 'connectors', 'redis'].map((name) =>
    Math.max(0, cpu(METRIC[name])),
  );
  const total = chat + connectors + redis;
  const profiled = records.find(
    (record) => record.size === size && record.contestant === id && record.shares,
  );
  const inMain = profiled ? profiled.shares.plugin || 0 : NaN;
  return {
    connectors: connectors / total,
    chat: chat / total,
    redis: redis / total,
    plugin: (main * inMain + (chat - main)) / total,
    inMain,
  };
}

module.exports = { AIMS, BASELINE, METRICS, contestants, figure, ratio, shares };
