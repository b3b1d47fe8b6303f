'use strict';

/**
 * The order among the calls of one process on one key, all of which may be unanswered at the same time: they take effect in
 * call order. So a read is not older than the one called before it, and it shows what its own process wrote before.
 * The order between processes is in checker.js.
 */

const { firstIndex } = require('./versions');

/** `reads` have `from`, `present` and `absent`, see checker.js. */
function inOneProcess(entry, reads, strict, report) {
  const byProcess = new Map();
  for (const read of reads) {
    if (!byProcess.has(read.by)) byProcess.set(read.by, []);
    byProcess.get(read.by).push(read);
  }
  for (const [by, list] of byProcess) {
    list.sort((a, b) => a.seq - b.seq);
    inOrder(list, strict, report);
    if (by === entry.owner) ownWrites(entry, list, strict, report);
  }
}

function inOrder(reads, strict, report) {
  const seen = new Map();
  const gone = new Map();
  let from = 0;
  for (const read of reads) {
    from = Math.max(from, read.from);
    for (const version of read.present) {
      if (gone.has(version)) {
        const why = `is shown again after ${gone.get(version)} knew it gone`;
        report(read, `${name(version)} ${why}`, [version]);
      }
      if (version.gone < from) {
        report(read, `${name(version)}, removed, is shown after newer state was`, [version]);
      }
      seen.set(version, `call ${read.seq}`);
    }
    for (const version of read.absent) {
      const wasThere = from >= version.add.end || seen.has(version);
      if (wasThere && version.mayGo > read.end) {
        const since = seen.get(version) || 'it was acknowledged';
        report(read, `${name(version)} is not shown after ${since}`, [version]);
      }
      // A version may come a second time where it was removed while its add was under way.
      if (read.start >= version.add.end || (strict && seen.has(version))) {
        gone.set(version, `call ${read.seq}`);
      }
      if (wasThere) from = Math.max(from, version.mayGo);
    }
  }
}

const name = ({ n }) => `version ${n}`;

/** Reads of the key's writer among its own writes, answered or not. */
function ownWrites({ owner, wipes }, reads, strict, report) {
  const own = wipes.filter(({ by }) => by === owner).sort((a, b) => a.seq - b.seq);
  const others = wipes.filter(({ by }) => by !== owner);
  const lastEnd = [];
  others.sort((a, b) => a.start - b.start);
  others.forEach(({ end }, i) => lastEnd.push(Math.max(end, lastEnd[i - 1] || 0)));
  const wipedBetween = (start, end) => {
    const i = firstIndex(others, (wipe) => wipe.start > end) - 1;
    return i >= 0 && lastEnd[i] > start;
  };
  for (const read of reads) {
    for (const version of read.present) {
      const { add, leave } = version;
      const wipe = own[firstIndex(own, ({ seq }) => seq > add.seq)];
      const removed = [leave, wipe].some((op) => isDone(op) && op.seq < read.seq);
      if (removed && isDone(add))
        report(read, `${name(version)} is shown after its own process removed it`, [version]);
      if (strict && add.seq > read.seq) {
        report(read, `${name(version)} is shown, though added later by the same process`, [
          version,
        ]);
      }
    }
    for (const version of read.absent) {
      const { add, leave } = version;
      if (!isDone(add) || add.seq > read.seq) continue;
      const wipe = own[firstIndex(own, ({ seq }) => seq > add.seq)];
      // What is sent again may show what was called after it.
      const before = (op) => op && (strict ? op.seq < read.seq : op.start <= read.end);
      if (before(leave) || before(wipe) || wipedBetween(add.start, read.end)) continue;
      report(read, `own ${name(version)}, added before, is not shown`, [version]);
    }
  }
}

const isDone = (op) => Boolean(op) && op.end !== Infinity;

module.exports = { inOneProcess };
