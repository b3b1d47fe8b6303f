'use strict';

/**
 * The report of a run: its figures, and for a violation the few lines of the history around it. checker.js decides what a
 * violation is.
 */

const MAX_LINES = 30;
const LOOKED_AT = 200;

const ms = (time, zero) => (time === Infinity ? 'never' : ((time - zero) / 1e6).toFixed(3));

const shows = ({ versions }) => `shows ${versions.length > 0 ? versions.join(', ') : 'nothing'}`;

/** The operations that a violation is about, as `{op, text}`. */
function involved({ entry, read, versions = [] }) {
  if (!entry) return [{ op: read, text: 'READ' }];
  const lines = [{ op: read, text: `READ ${shows(read)}` }];
  for (const { n, add, leave, shownBy, missedBy } of new Set(versions)) {
    lines.push({ op: add, text: `add ${n}` });
    if (leave) lines.push({ op: leave, text: `leave ${n}` });
    for (const other of [shownBy, missedBy]) {
      if (other && other !== read) lines.push({ op: other, text: `read ${shows(other)}` });
    }
  }
  const since = Math.min(...lines.map(({ op }) => op.start));
  for (const wipe of entry.wipes) {
    if (wipe.end >= since && wipe.start <= read.end) lines.push({ op: wipe, text: wipe.what });
  }
  // The calls of the same process on the same key just before, for the order of calls.
  const before = entry.reads.filter(({ by, seq }) => by === read.by && seq < read.seq);
  before.sort((a, b) => b.seq - a.seq);
  for (const op of before.slice(0, 2)) {
    if (!lines.some((line) => line.op === op)) lines.push({ op, text: `read ${shows(op)}` });
  }
  return lines;
}

function excerpt(violation) {
  const lines = involved(violation).sort((a, b) => a.op.start - b.op.start);
  const zero = lines[0].op.start;
  const rows = lines.slice(0, MAX_LINES).map(({ op, text }) => {
    const times = `${ms(op.start, zero).padStart(10)} – ${ms(op.end, zero).padStart(10)} ms`;
    return `${times}  ${op.by}${op.seq ? ` call ${op.seq}` : ''}: ${text}`;
  });
  if (lines.length > MAX_LINES) rows.push(`… and ${lines.length - MAX_LINES} more`);
  return [`key ${violation.key}: ${violation.why}`, ...rows].join('\n');
}

/** The excerpt that is the shortest to read, of the first ones. */
function smallest(violations) {
  const size = (violation) => involved(violation).length;
  return excerpt(
    violations.slice(0, LOOKED_AT).reduce((best, each) => (size(each) < size(best) ? each : best)),
  );
}

const COUNTERS = ['hits', 'misses', 'rereads', 'invalidations'];

/** The counters of all caches of a run, added up. */
function cacheOf(processes) {
  const sum = { reconnects: 0, ...Object.fromEntries(COUNTERS.map((name) => [name, 0])) };
  for (const { stats } of processes) {
    sum.reconnects += stats.reconnects;
    for (const name of COUNTERS) sum[name] += stats.cache[name];
  }
  return sum;
}

/** One line that says what a run was worth. */
function summary({ calls, keyReads, changes, violations, processes, met }) {
  const { hits, rereads, reconnects } = cacheOf(processes);
  const share = `${Math.round((100 * hits) / keyReads)} % hits`;
  const trouble = Object.entries(met).map(([kind, count]) => `${count} ${kind}`);
  const words = [`${calls} reads (${keyReads} of keys)`, share, `${rereads} re-reads`];
  words.push(`${changes} counts of changes`);
  const slowest = Math.max(...processes.map(({ slowest }) => slowest)) / 1e6;
  words.push(`slowest ${slowest.toFixed()} ms`, `${reconnects} reconnects`, ...trouble);
  words.push(`${violations.length} violations`);
  return words.join(', ');
}

module.exports = { excerpt, smallest, summary, cacheOf };
