'use strict';
/**
 * From the records of all rounds to the figures of the report: medians over rounds, and ratios to
 * 0.0.7 in the same round with their spread. How they look is report.js's and chart.js's business.
 */

const { waysOut } = require('../../demo/fanOut');
const { median, quantile, spread } = require('./quantiles');

const BASELINE = 'old';

/** Contestants in the order of the table's columns. Those with `also` are measured when asked for. */
const contestants = [
  { id: BASELINE, label: '0.0.7', plugin: 'pomelo-globalchannel-plugin', options: {} },
  { id: 'ours', label: 'this package', options: {} },
  {
    id: 'before',
    label: '`fanOut: false, rpcNoDelay: false`',
    options: { fanOut: false, rpcNoDelay: false },
    also: true,
  },
  // Its folder comes with the command line.
  { id: 'other', label: 'the build at `--root`', options: {}, also: true },
];

/** What the clients are. Browsers always offer compression, pomelo accepts and then uses it. */
const CLIENTS = {
  plain: 'clients that offer no compression',
  deflate: 'clients that offer permessage-deflate, as browsers do',
};

const micro = (ms) => ms * 1000;
const whole = ({ chat, connectors, redis }) => chat + connectors + redis;

/** What each makes of one record; `pool`: of those of all rounds together, for a p99. */
const METRICS = {
  whole: { title: 'CPU of the whole, µs', of: ({ cpu }) => micro(whole(cpu)) },
  connectors: { title: '– the three connectors', of: ({ cpu }) => micro(cpu.connectors) },
  sends: { title: '– of it the native call', of: ({ sends }) => (sends ? micro(sends) : NaN) },
  chat: { title: '– chat server', of: ({ cpu }) => micro(cpu.chat) },
  chatMain: { title: '– of it the main thread', of: ({ cpu }) => micro(cpu.chatMain) },
  redis: { title: '– Redis', of: ({ cpu }) => micro(cpu.redis) },
  clients: { title: '(CPU of the clients, µs)', of: ({ cpu }) => micro(cpu.clients) },
  p50: { title: 'from push to last client, p50, ms', of: ({ last }) => quantile(last, 0.5) },
  p99: {
    title: 'from push to last client, p99, ms',
    of: ({ last }) => quantile(last, 0.99),
    pool: ({ last }) => last,
  },
  answer: {
    title: 'from push to its callback, p50, ms',
    of: ({ answer }) => quantile(answer, 0.5),
  },
  bytes: { title: 'RPC bytes, list unchanged', of: ({ rpc }) => rpc.bytesOut },
  changed: { title: 'RPC bytes, one member changed', of: ({ rpc }) => rpc.bytesChanged },
  bytesBack: { title: 'RPC bytes back', of: ({ rpc }) => rpc.bytesIn },
  segments: { title: 'TCP segments to the connectors', of: ({ rpc }) => rpc.segments },
  compressed: { title: 'messages that came compressed', of: ({ compressed }) => compressed },
  highest: {
    title: 'highest rate with p99 ≤ 250 ms, pushes/s',
    of: ({ highest }) => highest ?? NaN,
  },
};

const of = (records, cell, id) =>
  records.filter(
    ({ size, clients, contestant }) =>
      size === cell.size && clients === cell.clients && contestant === id,
  );

/** Returns the median over the rounds; the p99 is that of the pushes of all rounds. */
function figure(records, cell, id, metric) {
  const own = of(records, cell, id);
  return metric.pool ? quantile(own.flatMap(metric.pool), 0.99) : median(own.map(metric.of));
}

/** Ratios within each round: `{low, median, high}`. */
function ratios(records, cell, id, metric) {
  const bases = of(records, cell, BASELINE);
  return spread(
    of(records, cell, id).map((own) => {
      const base = bases.find(({ round }) => round === own.round);
      return base ? metric.of(own) / metric.of(base) : NaN;
    }),
  );
}

/** Returns the servers' shares of the CPU time of a push; their sum is 1. */
function shares(records, cell, id) {
  const parts = ['connectors', 'chat', 'redis'].map((name) =>
    Math.max(0, figure(records, cell, id, METRICS[name])),
  );
  const total = parts.reduce((sum, part) => sum + part, 0);
  return parts.map((part) => part / total);
}

/** How the frontends' messages left, as the last round counted; null without `stats().fanOut`. */
function ways(records, cell, id) {
  const { fanOut } = of(records, cell, id).at(-1) || {};
  return fanOut ? waysOut(fanOut) : null;
}

module.exports = { BASELINE, CLIENTS, METRICS, contestants, figure, ratios, shares, ways };
