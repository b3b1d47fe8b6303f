'use strict';

/**
 * Decides whether a history is linearizable. Each read took place at one moment between its call and its answer. What it
 * shows, and what is known of the writes and the other reads, gives bounds of that moment; if they leave no room, the
 * read is a violation. Each bound is certain, so there are no false alarms; the time is linear except for sorting.
 *
 * A version is added once and removed for ever, by its writer's `leave` or by a wipe:
 *
 *     absent | add.start … add.end | present | mayGo (first call that can remove it) … gone | absent
 *
 * `shown` is the end of the first read that showed it, `missed` of the first that knew it gone. The bounds from the writes
 * alone are in versions.js, the order within one process in processes.js, the report in excerpt.js.
 */

const { timeline } = require('./versions');
const { inOneProcess } = require('./processes');

/**
 * `strict`: nothing was sent twice, so that each call took effect once, and no read shows what its
 * own process called later. Returns `{calls, keyReads, changes, violations}`.
 */
function check(history, { strict }) {
  const violations = history.strange.map(({ key, read, text }) => ({ key, read, why: text }));
  let [keyReads, changes] = [0, 0];
  const versions = new Map();
  for (const entry of history.keys.values()) {
    keyReads += entry.reads.length;
    changes += entry.changed.length;
    violations.push(...checkKey(entry, strict));
    versions.set(entry.key, timeline(entry, strict));
    violations.push(...checkAsked(entry, versions.get(entry.key)));
    violations.push(...checkChanged(entry, versions.get(entry.key), strict));
  }
  violations.push(...checkCounts(history, versions));
  return { calls: history.calls, keyReads, changes, violations };
}

function checkKey(entry, strict) {
  const versions = timeline(entry, strict);
  const violations = [];
  const reads = [];
  for (const read of entry.reads) {
    const unknown = read.versions.find((n) => !versions.of(n));
    if (unknown === undefined) reads.push(read);
    else
      violations.push({ key: entry.key, entry, read, why: `version ${unknown} was never added` });
  }
  for (const read of reads) {
    read.present = read.versions.map((n) => versions.of(n));
    for (const version of read.present) {
      if (read.end < version.shown) Object.assign(version, { shown: read.end, shownBy: read });
    }
  }
  for (const read of reads) {
    read.absent = versions.around(read).filter((version) => !read.present.includes(version));
    for (const version of read.absent) {
      const wasThere = strict ? Math.min(version.add.end, version.shown) : version.add.end;
      if (read.start < wasThere || read.end >= version.missed) continue;
      Object.assign(version, { missed: read.end, missedBy: read });
    }
  }
  const report = (read, why, versions) => {
    if (read.violates) return;
    read.violates = true;
    violations.push({ key: entry.key, entry, read, why, versions });
  };
  for (const read of reads) bound(read, report);
  inOneProcess(entry, reads, strict, report);
  return violations;
}

/**
 * What `isMember` answered. The writes alone decide: true for a version that was not there at any moment of the call, or
 * false for one that was there all the time, is a violation.
 */
function checkAsked({ key, asked = [] }, versions) {
  const violations = [];
  for (const read of asked) {
    const version = versions.of(read.n);
    const never = !version || version.add.start > read.end || version.gone < read.start;
    const always = version && version.add.end < read.start && version.mayGo > read.end;
    if (read.is ? never : always) {
      const why = `version ${read.n} is said to be ${read.is ? 'there' : 'missing'}, and was not so`;
      violations.push({ key, read, why });
    }
  }
  return violations;
}

/**
 * How many members a write said that it changed. A version is added once, so that its add changes one; its leave does so too if it
 * was there for certain, and none if it was gone before. What was sent again may count 0.
 */
function checkChanged({ key, changed }, versions, strict) {
  const violations = [];
  for (const op of changed) {
    const { add, goneBefore, mayGoBefore } = versions.of(op.n);
    const isAdd = op.what === 'add';
    const isThere = add.end < op.start && mayGoBefore > op.end;
    const least = strict && (isAdd || isThere) ? 1 : 0;
    const most = isAdd || goneBefore >= op.start ? 1 : 0;
    if (op.count < least || op.count > most) {
      const why = `${op.what} ${op.n} says that it changed ${op.count} members; it was ${least} to ${most}`;
      violations.push({ key, read: op, why });
    }
  }
  return violations;
}

/** A count is at least that of the versions that were there all the time, and at most that of those that were at all. */
function checkCounts({ counts = [] }, versions) {
  const violations = [];
  for (const read of counts) {
    const around = read.keys.flatMap((key) => versions.get(key).around(read));
    const most = around.filter(({ gone }) => gone >= read.start).length;
    const always = ({ add, mayGo }) => add.end < read.start && mayGo > read.end;
    const least = around.filter(always).length;
    if (read.count < least || read.count > most) {
      const why = `${read.count} members are counted; there were at least ${least}, at most ${most}`;
      violations.push({ key: read.keys.join(), read, why });
    }
  }
  return violations;
}

/** Sets `read.from` and `read.to`, between which it took place. */
function bound(read, report) {
  let from = { at: read.start };
  let to = { at: read.end };
  const notBefore = (at, version, why) => {
    if (at > from.at) from = { at, version, why };
  };
  const notAfter = (at, version, why) => {
    if (at < to.at) to = { at, version, why };
  };
  for (const version of read.present) {
    notBefore(version.add.start, version, 'is shown before it was added');
    notAfter(version.gone, version, 'is shown after it was removed');
    notAfter(version.missed, version, 'is shown again after another read knew it gone');
  }
  // Each turn may move `from` past the moment when one more version was there for certain.
  for (let before; before !== from.at;) {
    before = from.at;
    for (const version of read.absent) {
      const added = Math.min(version.add.end, version.shown);
      if (from.at >= added) notBefore(version.mayGo, version, notShown(version));
    }
  }
  for (const version of read.absent) {
    // It had not come yet, for it cannot have gone yet.
    if (version.mayGo > to.at) {
      notAfter(Math.min(version.add.end, version.shown), version, notShown(version));
    }
  }
  if (from.at > to.at) {
    const reasons = [from, to].filter(({ why }) => why);
    const texts = new Set(reasons.map(({ version, why }) => `version ${version.n} ${why}`));
    const versions = reasons.map(({ version }) => version);
    report(read, [...texts].join('; '), versions);
  }
  read.from = from.at;
}

const notShown = ({ add, shown }) =>
  add.end <= shown
    ? 'is not shown though acknowledged and not removed'
    : 'is not shown though another read showed it and no call removed it';

module.exports = { check };
