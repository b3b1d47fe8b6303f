'use strict';
/**
 * docs/benchmark-cluster.md, and its tables for the terminal. The figures are figures.js's.
 */

const { NONE, plain, ratio: times, table } = require('../format');
const { CLIENTS, METRICS, contestants, figure, ratios, shares, ways } = require('./figures');
const { compare } = require('./goals');
const { LONG } = require('./round');

const percent = (share) => (Number.isFinite(share) ? `${(share * 100).toFixed(1)} %` : NONE);
const range = ({ low, high }) =>
  low === null || low === high ? NONE : `${plain(low)}–${plain(high)}`;
const some = (value) => value !== null && value !== undefined;

const present = (run) => contestants.filter(({ id }) => run.contestants.includes(id));

function cellTable({ records, ...run }, cell) {
  const columns = present(run);
  const compared = columns.slice(1);
  const rows = Object.values(METRICS)
    .map((metric) => ({
      metric,
      values: columns.map(({ id }) => figure(records, cell, id, metric)),
    }))
    .filter(({ values }) => values.some(some))
    .map(({ metric, values }) => [
      metric.title,
      ...values.map(plain),
      ...compared.flatMap(({ id }) => {
        const found = ratios(records, cell, id, metric);
        return [times(found.median), range(found)];
      }),
    ]);
  const labels = columns.map(({ label }) => label);
  const heads = compared.flatMap(({ label }) => [`${label} to 0.0.7`, 'all rounds']);
  return table([`${cell.size} clients, ${cell.clients}`, ...labels, ...heads], rows);
}

const cells = ({ sizes, clients }) =>
  clients.flatMap((kind) => sizes.map((size) => ({ clients: kind, size })));

function sharesTable({ records, ...run }) {
  const rows = cells(run).flatMap((cell) =>
    present(run).map(({ id, label }) => [
      `${cell.size} clients, ${cell.clients}: ${label}`,
      ...shares(records, cell, id).map(percent),
    ]),
  );
  return table(['whose CPU time', 'connectors', 'chat server', 'Redis'], rows);
}

const WORDS = { aim: 'yes, aim', yes: 'yes', no: '**no**' };

function goalsTable({ records }) {
  const rows = compare(records).map(
    ({ clients, size, metric, least, aim, more, measured, met }) => {
      const bound = (value) => (value === null ? NONE : `${more ? '≥' : '≤'} ${value}`);
      const title = METRICS[metric].title.replace(/^– (of it )?|, (µs|ms|pushes\/s)$/g, '');
      return [
        `${size} ${clients} clients: ${title}`,
        bound(least),
        bound(aim),
        plain(measured.median),
        range(measured),
        WORDS[met],
      ];
    },
  );
  return table(['ratio to 0.0.7', 'at least', 'aim', 'measured', 'all rounds', 'met'], rows);
}

/** What no connector of three can do better than, for each channel size, beside what they took. */
function floorTable({ records, floor, ...run }) {
  const rows = run.sizes.map((size) => {
    const all = (value) => plain((value / floor.sockets) * size);
    const took = (clients, id) =>
      run.clients.includes(clients)
        ? plain(figure(records, { clients, size }, id, METRICS.connectors))
        : NONE;
    const kinds = Object.keys(CLIENTS).flatMap((kind) => [took(kind, 'old'), took(kind, 'ours')]);
    const sends = figure(records, { clients: run.clients[0], size }, 'ours', METRICS.sends);
    return [`${size} clients`, all(floor.send), all(floor.write), plain(sends), ...kinds];
  });
  const kinds = Object.keys(CLIENTS).flatMap((kind) => [`0.0.7, ${kind}`, `this package, ${kind}`]);
  return table(
    [
      'the connectors, CPU µs per push',
      '`send()` in C',
      '`socket.write`',
      `\`send()\` in the connectors, ${run.clients[0]}`,
      ...kinds,
    ],
    rows,
  );
}

function waysTable({ records, ...run }) {
  const rows = cells(run)
    .map((cell) => [`${cell.size} clients, ${cell.clients}`, ways(records, cell, 'ours')])
    .filter(([, counted]) => counted);
  return rows.length > 0 ? table(['since the start of the cluster', 'messages'], rows) : '';
}

/** What a reader must know of the times. */
const busy = ({ load }) =>
  load > 1 ? `; **the machine was busy** (load average ${plain(load)} when it began)` : '';

/** The pushes before those to the sizes that are measured. */
const warmUpOf = ({ warmUp }) =>
  warmUp
    ? `${warmUp.count} pushes at ${warmUp.rate}/s to ${warmUp.size} clients, as many to ${LONG.size} whose uids are so long that their lists have names (260 characters), and then `
    : '';

function document(run) {
  const { machine } = run;
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const rates = run.sizes.map((size) => `${plain(run.plans[size].rate)}/s to ${size}`);
  const counts = run.sizes.map((size) => run.plans[size].warmUp).join(', ');
  const left = waysTable(run);
  return `# Benchmark in a real cluster

Made by \`${machine.command}\`; do not edit.

- ${machine.date} UTC${machine.commit ? `, commit ${machine.commit}` : ''}
- ${machine.machine}; ${machine.system}
- ${versions.join(', ')}
- ${run.rounds} round${run.rounds === 1 ? '' : 's'}${busy(run)}

![A push in a whole cluster, 0.0.7 and this package](benchmark-cluster.svg)

## What it must reach

${goalsTable(run)}

## How it is measured

In each round each contestant gets a pomelo cluster of its own, started afresh, one after the other: master,
3 connectors, 1 chat server, Redis, all with the contestant loaded and its default options (0.0.7 does nothing
on a frontend). The clients are real WebSocket connections that log in, spread over the connectors, all in
one channel. Most are in two processes written in C, so that they take little of the machine from the
servers; one at each connector reads and checks every message. The chat server pushes a chat message of 60 bytes, and
each client must get each push once, in order, or the run fails. All of it runs on one machine over loopback.

${run.clients.map((kind) => `- **${kind}**: ${CLIENTS[kind]}.`).join('\n')}
- CPU and latency are those of pushes at a modest rate, whether the one before was answered or not
  (${rates.join(', ')}). CPU is from the scheduler's nanoseconds of each process, less what
  it spends while there are no pushes. "The whole" is connectors, chat server and Redis.
- Before that, ${warmUpOf(run)}to each size ${counts} pushes at twice its rate: V8 has compiled by then what
  a push runs through, and Node has stopped taking a stack trace at each \`new Buffer\` of pomelo, as in any server that runs for minutes.
- Latency is from the call of \`pushMessage\` to when the last client has read the message.
- RPC bytes are those that the chat server writes to its sockets to the connectors. In "one member changed" a member
  leaves or comes back before each push. Segments are \`ss\`'s count.
- The highest rate is searched for by runs of ${run.limit.seconds} s: the highest that had a p99 of at most ${run.limit.p99} ms.
- Clients send no heartbeats, so that nothing but pushes is sent.
- Figures are per push, medians of the rounds; ratios are taken within a round, with the least and the most of
  all rounds beside the median.

${cells(run)
  .map((cell) => `## ${cell.size} clients, ${cell.clients}\n\n${cellTable(run, cell)}`)
  .join('\n\n')}

## The floor

What it costs at least to write those bytes to as many loopback sockets, measured with ${run.floor.sockets} of them: one
\`send()\` for each in C, and Node's \`socket.write\` of one buffer, 50 times a second with nothing else in the process. In the
connectors other processes use the caches between two pushes, and a push is rarer: there the same \`send()\`s, made by one
native call, are timed in pushes of their own. Beside it what the three connectors took, all of pomelo and the RPC included.

${floorTable(run)}

## Whose CPU time a push is

${sharesTable(run)}
${left && `\n## How messages left the frontends\n\n\`stats().fanOut\` of the three connectors, added up.\n\n${left}\n`}`;
}

module.exports = { cellTable, cells, document, floorTable, goalsTable, sharesTable };
