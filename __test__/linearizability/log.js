'use strict';

/**
 * A process logs what it called, when, and the result; the test reads all logs as one history. Times are nanoseconds of the
 * monotonic clock, which is the same for all processes of a machine. checker.js judges the history.
 *
 * One line per operation and key: `kind key seq start end versions`, where `seq` numbers the calls of the process, and no
 * `end` means that it is unknown whether the call took effect. A write has two lines, one before it is called and one when
 * it is answered: the second counts. A process that was killed leaves the first, and perhaps half a line at the end.
 */

const fs = require('fs');
const { KEYS, ownerOf, parse } = require('./keys');

const now = () => Number(process.hrtime.bigint());

const BUFFERED = 1 << 16;

class Log {
  constructor(file) {
    this.file = fs.openSync(file, 'a');
    this.text = '';
  }

  line(...words) {
    this.text += words.join(' ') + '\n';
    if (this.text.length > BUFFERED) this.flush();
  }

  flush() {
    fs.writeSync(this.file, this.text);
    this.text = '';
  }

  /** Before the call: it is in the file when this returns. */
  begin(kind, key, { seq, start, version }) {
    this.write(kind, key, { seq, start, version });
    this.flush();
  }

  write(kind, key, { seq, start, end, version }) {
    this.line(kind, key, seq, start, end, version);
  }

  /** `members` of all `keys`, as one call returned them. */
  read(keys, { seq, start, end }, members) {
    const versions = new Map(keys.map((key) => [key, []]));
    for (const member of members) {
      const { key, version } = parse(member);
      const list = versions.get(key);
      if (list && version > 0 && !list.includes(version)) list.push(version);
      else this.line('strange', keys[0], seq, start, end, JSON.stringify(members));
    }
    for (const [key, list] of versions) this.line('read', key, seq, start, end, list.join());
  }

  /** How many members of all `keys` one call counted. */
  count(keys, { seq, start, end }, count) {
    this.line('count', keys[0], seq, start, end, count, keys.join());
  }

  /** Whether `version` was a member. */
  asked(key, { seq, start, end }, version, is) {
    this.line('asked', key, seq, start, end, version, is);
  }

  /** How many members `add` or `leave` of a version changed as that call says. */
  changed(kind, key, { seq, start, end }, version, count) {
    this.line('changed', key, seq, start, end, version, kind, count);
  }

  /** Something that no history of one process may have. */
  strange(key, { seq, start, end }, text) {
    this.line('strange', key, seq, start, end, JSON.stringify(text));
  }

  close() {
    this.flush();
    fs.closeSync(this.file);
  }
}

/**
 * What the log of a process that was killed says, `{calls, last}`: how many calls there were, and the last
 * version that it may have added to each key. Half a line is taken off.
 */
function leftBehind(file) {
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) fs.truncateSync(file, whole.length);
  const left = { calls: 0, last: new Map() };
  for (const line of whole.split('\n')) {
    const [kind, key, seq, , , version] = line.split(' ');
    left.calls = Math.max(left.calls, Number(seq || 0));
    if (kind === 'add') left.last.set(key, Math.max(left.last.get(key) || 0, Number(version)));
  }
  return left;
}

/** An empty history: for each key its owner, versions (1, 2, …), wipes, reads, and counts of what its writes changed. */
function emptyHistory() {
  const history = { keys: new Map(), strange: [], counts: [], calls: 0 };
  for (const key of KEYS) {
    const nothing = { versions: [], wipes: [], reads: [], asked: [], changed: [] };
    history.keys.set(key, { key, owner: ownerOf(key), ...nothing });
  }
  return history;
}

function version(entry, text) {
  const n = Number(text);
  return (entry.versions[n - 1] ||= { n, add: null, leave: null });
}

/**
 * Whatever was there when it began is gone when it ends; if it failed nothing is sure, not even its
 * place among the writer's calls.
 */
function ownWipe(op) {
  const known = op.end !== Infinity;
  const what = 'destroyChannel';
  return { ...op, what, by: known ? op.by : `${op.by}?`, bornBefore: known ? op.start : -Infinity };
}

/** How a line gets into the history; `op` is `{by, seq, start, end}`, `end` Infinity if unknown. */
const KINDS = {
  add: (entry, op, n) => (version(entry, n).add = op),
  leave: (entry, op, n) => (version(entry, n).leave = op),
  wipe: (entry, op) => entry.wipes.push(ownWipe(op)),
  read: (entry, op, list) =>
    entry.reads.push({ ...op, versions: list ? list.split(',').map(Number) : [] }),
};

/** Adds the log of one GlobalChannel. */
function addLog(history, by, file) {
  let last = 0;
  const writes = new Map();
  for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
    if (!line) continue;
    const [kind, key, seq, start, end, ...rest] = line.split(' ');
    const op = { by, seq: Number(seq), start: Number(start), end: Number(end || Infinity) };
    if (kind === 'strange') {
      history.strange.push({ key, read: op, text: rest.join(' ') });
      continue;
    }
    if (kind === 'changed') {
      const [n, what, count] = rest;
      history.keys.get(key).changed.push({ ...op, n: Number(n), what, count: Number(count) });
      continue;
    }
    if (kind === 'count' || kind === 'asked') {
      if (kind === 'count') {
        history.counts.push({ ...op, count: Number(rest[0]), keys: rest[1].split(',') });
      } else {
        const [n, is] = [Number(rest[0]), rest[1] === 'true'];
        history.keys.get(key).asked.push({ ...op, n, is });
      }
      history.calls += 1;
    } else if (kind === 'read') {
      KINDS.read(history.keys.get(key), op, rest[0]);
      if (op.seq !== last) history.calls += 1;
      last = op.seq;
    } else {
      writes.set(`${kind} ${key} ${seq}`, () => KINDS[kind](history.keys.get(key), op, rest[0]));
    }
  }
  for (const write of writes.values()) write();
}

module.exports = { now, Log, leftBehind, emptyHistory, addLog };
