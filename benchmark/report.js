'use strict';
/**
 * Writes docs/benchmark.md, and the same tables for the terminal, from the figures of summary.js. The chart is in
 * chart.js.
 */

const { cells } = require('./cells');
const { BASELINE, contestants } = require('./contestants');
const { NONE, plain, rate, ratio, table } = require('./format');
const { compare, summarise, summariseMemory } = require('./summary');

const MARK = { aim: 'yes, aim', yes: 'yes', no: '**no**' };

/** Makes the table of goals as Markdown; `run` is the content of benchmark.json (run.js). */
function targetsTable(run) {
  const rows = compare(summarise(run.records), summariseMemory(run.records)).map((target) => [
    target.title,
    bound(target, target.least),
    bound(target, target.aim),
    plain(target.measured) + (target.cells && target.cells.length > 1 ? ` (${target.cell})` : ''),
    target.low === target.high ? NONE : `${plain(target.low)}–${plain(target.high)}`,
    MARK[target.met],
  ]);
  return table(['cell', 'at least', 'aim', 'measured', 'all rounds', 'met'], rows);
}

function bound({ measure }, goal) {
  if (goal === null) return NONE;
  return ['speed', 'level'].includes(measure) ? String(goal) : `≤ ${goal}`;
}

function figuresTable(run, show, without) {
  const figures = summarise(run.records);
  const present = contestants.filter(({ id }) => id !== without && run.contestants.includes(id));
  const rows = cells
    .filter(({ id }) => figures[id])
    .map(({ id, title }) => [
      title,
      ...present.map((contestant) => {
        const figure = figures[id][contestant.id];
        if (!figure) return NONE;
        return figure.opsPerSecond === null ? 'failed' : show(figure) + remarks(figure);
      }),
    ]);
  return table(['cell', ...present.map(({ label }) => label)], rows);
}

/** Makes the table of our `stats()`, if the build has it. */
function insideText(run) {
  const figures = summarise(run.records);
  const rows = cells
    .filter(({ id }) => figures[id] && figures[id].ours && figures[id].ours.inside.calls)
    .map(({ id, title }) => {
      const { hits, rereads, calls } = figures[id].ours.inside;
      return [title, percent(hits), percent(rereads), plain(calls)];
    });
  if (rows.length === 0) return '';
  const head = ['cell', 'hits, % of key reads', 're-reads, %', 'calls in a batch'];
  return `\n## Inside this package\n\nFrom \`stats()\`, warm-up included.\n\n${table(head, rows)}\n`;
}

const percent = (share) => (share === null ? NONE : plain(100 * share));

/** Marks figures whose rounds failed in part, or in which lists were stale. */
function remarks({ failed, stale }) {
  return (failed ? ` (${failed} failed)` : '') + (stale ? ' (stale)' : '');
}

function memoryText(run) {
  const { rss, control, counted } = summariseMemory(run.records);
  if (rss === null) return '';
  const own = counted === null ? '' : `; \`stats().cache.bytes\` counts ${plain(counted)}`;
  return `RSS per cached member, 1000 × 1000 members with uids of 16 bytes: ${plain(rss)} bytes
(without the cache the process grows by ${plain(control)} by the same reads${own}).`;
}

/** Makes the Markdown, which prettier has yet to format. */
function document(run) {
  const { machine } = run;
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return `# Benchmark

Made by \`${machine.command}\`; do not edit.

- ${machine.date} UTC${machine.commit ? `, commit ${machine.commit}` : ''}
- ${machine.machine}; ${machine.system}${machine.fileSystem ? `; embedded store on ${machine.fileSystem}` : ''}
- ${versions.join(', ')}
- ${run.rounds} round${run.rounds === 1 ? '' : 's'}, ${run.timing.seconds} s for each cell

![Calls per second, as multiples of 0.0.7](benchmark.svg)

## How it is measured

Each contestant is a process of its own that runs the same code, with a service of pomelo-globalchannel-plugin 0.0.7, of
this package, or of 0.0.7 over another client as its \`channelManager\`. Each round starts new processes and measures every
cell with one contestant after the other, beginning with a different one each time. N in flight is a closed loop: each
answer triggers the next call. All answers are checked. Ratios are taken within a round; the tables show the median of all
rounds. redis-benchmark is the limit: the server and a C client over one connection, with the same number of commands in
the pipeline. (Of lists of 1000 members and more it is that of this client, which parses them more slowly than the server sends
them.) Other clients and redis-benchmark are measured in one round, memory in two.

- Everything runs on one machine, the server included, over loopback.
- The embedded store is in a folder on the disk and is filled by another process. With \`durability: 'os'\` each commit
  waits for the disk.
- "By 4 processes": four processes, started for the cell, add different users at the same time; the rate is their sum,
  CPU per call their mean.
- Reads and pushes cycle through 67 channels; no two of 64 calls in flight ask for the same one, of 512 about eight do.
- The RPC of a push is a stub that answers in the next tick: real pushes also cost what pomelo-rpc and the frontends need.
- Churn is a join or leave before every n-th push, to the same channel, by the same service; each push must reach exactly
  the members at the time of the call. "By another process": a second process with a service of the same contestant makes
  the change, told of it by the one that pushes; the CPU time is of the latter.
- Where 0.0.7 has no such call, its row is what an app must do by hand: it fetches the list and counts or searches it,
  combines and deduplicates lists and makes the RPCs, or makes a call for each frontend or channel.
- Bulk writes alternate with calls that take them back, so that the store stays as it is.
- The Redis Cluster has three primaries, each a process on this machine, and no replicas. 0.0.7 cannot use a cluster: the
  ratios of those rows are to 0.0.7 on one Redis.
- A cold read is the first one of its channel; the cache does not help it.

## Goals

Ratios to 0.0.7, unless the row names another cell of this package; for CPU, the ratio of CPU time per call. A row for several cells shows the worst one.

${targetsTable(run)}

${memoryText(run)}

## Calls per second, as multiples of 0.0.7

${figuresTable(run, ({ speed }) => ratio(speed), BASELINE)}

## Calls per second

${figuresTable(run, ({ opsPerSecond }) => rate(opsPerSecond))}

## CPU time of the main thread / of all threads of the process, µs per call

${figuresTable(run, ({ mainCpu, processCpu }) => `${plain(mainCpu)} / ${plain(processCpu)}`)}
${insideText(run)}`;
}

module.exports = { document, targetsTable, memoryText };
