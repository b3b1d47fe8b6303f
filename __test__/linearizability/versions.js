'use strict';

/**
 * What the writes to one key say of each version: from when it may be gone, and from when it must be. What the reads add is in
 * checker.js.
 */

/**
 * `{of(n), around(read)}`: a version, and those that a read may or must show. A version is `{n, add,
 * leave, mayGo, gone, shown, missed}`, see checker.js; `mayGoBefore` and `goneBefore` are without its `leave`.
 */
function timeline(entry, strict) {
  const { byBorn, byEnd } = foreign(entry);
  const own = entry.wipes.filter(({ by }) => by === entry.owner).sort((a, b) => a.seq - b.seq);
  const versions = entry.versions.filter((version) => version && version.add);
  const byNumber = new Map();
  // Of the versions up to each one, the last moment that any may be there.
  const lastGone = [];
  versions.forEach((version, i) => {
    const { add, leave } = version;
    const certain = [byBorn(add.end), firstOwn(own, add.end)];
    const possible = [byEnd(add.start), possibleOwn(own, add, strict)];
    version.goneBefore = first(certain, 'end');
    version.mayGoBefore = first(possible, 'start');
    if (leave) {
      possible.push(leave);
      if (add.end <= leave.start) certain.push(leave);
    }
    version.gone = first(certain, 'end');
    version.mayGo = first(possible, 'start');
    version.shown = Infinity;
    version.missed = Infinity;
    byNumber.set(version.n, version);
    lastGone.push(Math.max(version.gone, i > 0 ? lastGone[i - 1] : -Infinity));
  });
  return {
    of: (n) => byNumber.get(n),
    around(read) {
      const found = [];
      let i = firstIndex(versions, ({ add }) => add.start > read.end) - 1;
      for (; i >= 0 && lastGone[i] >= read.start; i -= 1) found.push(versions[i]);
      return found;
    },
  };
}

/** The earliest start, or end, of those of the operations that there are. */
const first = (ops, when) => Math.min(...ops.filter(Boolean).map((op) => op[when]));

/** The index of the first item for which `test` holds, where it holds for all after it too. */
function firstIndex(list, test) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(list[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** For each item the best of it and those after it. */
function bestAfter(list, better) {
  const best = [...list];
  for (let i = list.length - 2; i >= 0; i -= 1) {
    if (better(best[i + 1], best[i])) best[i] = best[i + 1];
  }
  return best;
}

/** The wipes of others: which surely hit what was there at a time, which may hit what comes then. */
function foreign({ owner, wipes }) {
  const others = wipes.filter(({ by }) => by !== owner);
  const born = [...others].sort((a, b) => a.bornBefore - b.bornBefore);
  const ended = [...others].sort((a, b) => a.end - b.end);
  const firstEnd = bestAfter(born, (a, b) => a.end < b.end);
  const firstStart = bestAfter(ended, (a, b) => a.start < b.start);
  return {
    byBorn: (time) => firstEnd[firstIndex(born, ({ bornBefore }) => bornBefore >= time)],
    byEnd: (time) => firstStart[firstIndex(ended, ({ end }) => end > time)],
  };
}

/** The writer's own calls began, took effect and were answered in one order. */
const firstOwn = (own, time) => own[firstIndex(own, ({ start }) => start >= time)];

/** What was called before the version was added cannot remove it, unless it was sent again. */
function possibleOwn(own, add, strict) {
  const after = strict ? ({ seq }) => seq > add.seq : ({ end }) => end > add.start;
  return own[firstIndex(own, after)];
}

module.exports = { timeline, firstIndex };
