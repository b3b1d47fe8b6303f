'use strict';
/**
 * docs/benchmark-cluster.md, and its tables for the terminal. The figures are figures.js's.
 */

const { NONE, plain, ratio: times, table } = require('../format');
const { AIMS, METRICS, contestants, figure, ratio, shares } = require('./figures');

const percent = (share) => (Number.isFinite(share) ? `${(share * 100).toFixed(1)} %` : NONE);

const present = (run) => contestants.filter(({ id }) => run.contestants.includes(id));

function sizeTable({ records, ...run }, size) {
  const columns = present(run);
  const rows = METRICS.map((metric) => [
    metric.title,
    ...columns.map(({ id }) => plain(figure(records, size, id, metric))),
    times(ratio(records, size, 'ours', metric)),
  ]);
  return table([`${size} clients`, ...columns.map(({ label }) => label), 'ours to 0.0.7'], rows);
}

function sharesTable({ records, ...run }) {
  const rows = run.sizes.flatMap((size) =>
    present(run).map(({ id, label }) => {
      const share = shares(records, size, id);
      const parts = [share.connectors, share.chat, share.redis, share.plugin];
      return [`${size} clients, ${label}`, ...parts.map(percent)];
    }),
  );
  const head = ['whose CPU time', 'connectors', 'chat server', 'Redis', 'the plugin in the chat'];
  return table(head, rows);
}

function aimsTable({ records, ...run }) {
  const rows = AIMS.filter(({ size }) => run.sizes.includes(size)).map(
    ({ title, size, metric, aim }) => {
      const measured = ratio(records, size, 'ours', metric);
      const met = measured === null ? NONE : measured <= aim ? 'yes' : '**no**';
      return [title, `≤ ${aim}`, plain(measured), met];
    },
  );
  return table(['ratio to 0.0.7', 'aim', 'measured', 'met'], rows);
}

/** The sentence that keeps anybody from expecting of a push what only a read can gain. */
function plainWords({ records, sizes }) {
  const size = Math.max(...sizes);
  const old = shares(records, size, 'old');
  const ours = shares(records, size, 'ours');
  if (![old, ours].every(({ plugin }) => Number.isFinite(plugin))) return '';
  return `**What the plugin can do for a push, and what it cannot.** Of the CPU time that the servers and
Redis spend on a push to ${size} clients, the connectors take ${percent(ours.connectors)}: they write to ${size}
WebSockets, whichever plugin is in use. With 0.0.7 the plugin in the chat server has
${percent(old.plugin)} of the whole and Redis ${percent(old.redis)}; with ours it is ${percent(ours.plugin)} and ${percent(ours.redis)}. So
a read that takes no time makes a push cheaper by no more than those shares, however many times
faster it is than before. What users notice is the time until the message is there, and that is
mostly the wait for delayed acknowledgements, which \`rpcNoDelay\` ends.`;
}

function document(run) {
  const { machine } = run;
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return `# Benchmark in a real cluster

Made by \`${machine.command}\`; do not edit.

- ${machine.date} UTC${machine.commit ? `, commit ${machine.commit}` : ''}
- ${machine.machine}; ${machine.system}
- ${versions.join(', ')}
- ${run.rounds} round${run.rounds === 1 ? '' : 's'}

## How it is measured

In each round each contestant gets a pomelo cluster of its own, started afresh: master, 3 connectors,
1 chat server, Redis; 2 more processes hold the clients, real WebSocket clients that log in, spread over
the connectors, all in one channel. The chat server pushes; each client must get each push once. All of
it runs on one machine over loopback, so that clients and servers take each other's CPU.

- Times are taken with one push in flight, 100 ms after the callback of the one before; CPU time at a
  modest rate (${run.sizes.map((size) => `${run.plans[size].rate}/s to ${size}`).join(', ')}), from the scheduler's
  nanoseconds of each process, less what it spends while there are no pushes.
- Nobody joins or leaves meanwhile: every push of ours can be answered from its cache.
- Figures are per push, medians of the rounds; ratios are taken within a round.
- RPC bytes are those of the chat server's sockets to the connectors; segments are \`ss\`'s count.

${plainWords(run)}

${run.sizes.map((size) => `## ${size} clients in one channel\n\n${sizeTable(run, size)}`).join('\n\n')}

## Whose CPU time a push is

The last column is the plugin's part of the chat server's main thread, by a CPU profile (Node's own
functions count for who called them), and that process's other threads, where our Redis client works and
V8's helpers do; the rest of the chat server is pomelo, pomelo-rpc and Node.

${sharesTable(run)}

## What it should reach

${aimsTable(run)}
`;
}

module.exports = { document, sizeTable, sharesTable, aimsTable };
