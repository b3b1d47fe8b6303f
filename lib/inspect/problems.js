'use strict';

// What looks wrong in a store, page by page, each with what mends it: leases first, then the keys, then the index of members. The
// keys are gone through twice, first for the prefixes that begin with this one: what is under these is none of it.

const { shellQuoted } = require('./text');

/** The kinds of problems, each with what it means. */
const KINDS = {
  'expired-lease': 'the lease of a frontend has expired, and no process has swept it yet',
  'members-without-lease':
    'members on a frontend without a lease, in a store where leases are in use',
  'not-a-set': 'the key of a channel is no set',
  'foreign-key': 'a key under the prefix names no frontend',
  'index-without-member': 'an entry of the index of members has no member',
  'not-readable': 'the user of the store may not read what the views need',
};

/** The prefix that the command line takes if none is given. */
const DEFAULT_PREFIX = 'POMELO:CHANNEL';

/** The number of keys that are searched for longer prefixes and frontends in one step. */
const STEP = 1000;

/** What cursors begin with: a part of the scan. */
const FIND = 'find';
const KEYS = 'keys';
const INDEX = 'index';

/** Makes a page of problems of `views`. */
async function problemsOf(views, { cursor, limit }) {
  const [{ prefix, kind, db }, rows] = await Promise.all([views.ask('store'), views.rows()]);
  const store = { prefix, cli: redisCli(kind, db) };
  const [part, inner, sid] = partsOf(cursor);
  if (part === FIND) {
    // Keys of a longer prefix read like those of channels, and which prefixes there are is told by other keys.
    const { isDone } = await views.ask('meet', { limit: Math.max(limit, STEP) });
    return { problems: [], cursor: isDone ? `${KEYS}/` : `${FIND}/` };
  }
  if (part === KEYS) {
    const page = await views.ask('survey', { cursor: inner, limit });
    const problems = ofKeys(page.keys, rows, store);
    const next = page.cursor === null ? firstIndex(rows) : `${KEYS}/${page.cursor}`;
    return { problems, cursor: next };
  }
  if (part === INDEX) return ofIndex(views, rows, { inner, sid, limit });
  return { problems: [...denied(rows), ...ofLeases(rows, store)], cursor: `${FIND}/` };
}

/** Takes a cursor apart: the part of the scan, the cursor in it, and a frontend. */
function partsOf(cursor) {
  if (cursor === null) return [];
  const [part, inner, ...sid] = cursor.split('/');
  const isPart = part === FIND || part === KEYS || (part === INDEX && sid.length > 0);
  if (!isPart || inner === undefined) {
    throw Object.assign(new TypeError('cursor is not that of a page of the same view'), {
      code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT',
    });
  }
  return [part, inner || null, sid.join('/')];
}

const indexedAmong = (rows) => rows.filter(({ isIndexed }) => isIndexed).map(({ sid }) => sid);

function firstIndex(rows, after) {
  const next = indexedAmong(rows).find((sid) => after === undefined || sid > after);
  return next === undefined ? null : `${INDEX}//${next}`;
}

function denied(rows) {
  return rows.denied.map((words) =>
    problem('not-readable', words, { text: `leases cannot be shown in full: ${words}` }),
  );
}

function ofLeases(rows, { prefix }) {
  const expired = rows.filter(({ lease }) => lease === 'expired');
  return expired.map(({ sid, online, ends }) =>
    problem('expired-lease', sid, {
      sid,
      count: online,
      text:
        `the lease has expired; ${online} users are in its list, and count as offline. Any process with option sessions ` +
        `removes them${ends ? ', and the members' : ''}, within 5/12 of leaseTtl: if this stays, none is running`,
      command: leaving(sid, prefix),
    }),
  );
}

function ofKeys(keys, rows, { prefix, cli }) {
  const problems = [];
  const leases = new Map(rows.map((row) => [row.sid, row]));
  const areInUse = rows.some(({ lease, ends }) => lease !== 'none' || ends);
  const without = new Map();
  for (const { key, sid, kind, count, isInner } of keys) {
    if (kind === 'none' || isInner) continue;
    if (sid === null) {
      const text = `a ${kind} that names no frontend: of another program, of a fork, or of another value of hashTag`;
      problems.push(problem('foreign-key', key, { key, text, command: removal(cli, key) }));
    } else if (kind !== 'set') {
      const text = `a ${kind}, so calls of this channel fail with WRONGTYPE`;
      problems.push(problem('not-a-set', key, { key, sid, text, command: removal(cli, key) }));
    } else if (areInUse && leases.get(sid)?.lease !== 'held') {
      without.set(sid, (without.get(sid) || 0) + count);
    }
  }
  for (const [sid, count] of without) {
    const { lease, ends, age } = leases.get(sid) || {};
    const why = lease === 'expired' ? 'whose lease has expired' : 'without a lease';
    const goes = ends
      ? `any process with option sessions removes them${age === null || age === undefined ? '' : ` (it ended ${Math.round(age / 1000)} s ago)`}`
      : 'they stay until they are removed, and pushes do not reach them if it is gone';
    const text = `members on a frontend ${why}: ${goes}`;
    const command = leaving(sid, prefix);
    problems.push(problem('members-without-lease', sid, { sid, count, text, command }));
  }
  return problems;
}

async function ofIndex(views, rows, { inner, sid, limit }) {
  const page = await views.ask('stale', { sid, cursor: inner, limit: Math.min(limit, 1000) });
  const problems = [];
  if (page.entries.length > 0) {
    const [{ uid, name }] = page.entries;
    const text = `the index has users in channels in which they are not, as ${JSON.stringify(uid)} in ${JSON.stringify(name)}: harmless, and gone with the next leaveAll of the user`;
    problems.push(
      problem('index-without-member', sid, {
        sid,
        count: page.entries.length,
        text,
        command: null,
      }),
    );
  }
  const next = page.cursor === null ? firstIndex(rows, sid) : `${INDEX}/${page.cursor}/${sid}`;
  return { problems, cursor: next };
}

function problem(kind, of, { text, sid = null, key = null, count = 1, command = null }) {
  return { kind, id: `${kind} ${of}`, text, sid, key, count, command };
}

/** Returns how redis-cli is called, without the address; null for a store that has none. */
function redisCli(kind, db) {
  if (kind === 'embedded') return null;
  return `redis-cli${kind === 'cluster' ? ' -c' : ''}${db ? ` -n ${db}` : ''}`;
}

/** What is not UTF-8 in the store has been replaced, and an argument ends at a zero: neither can be named. */
const canBeNamed = (text) => !/[\0\ufffd]/.test(text);

/** Returns the command that removes a key, or null. */
function removal(cli, key) {
  return cli !== null && canBeNamed(key) ? `${cli} unlink ${shellQuoted(key)}` : null;
}

/** Returns the command that removes what a frontend has left, or null. */
function leaving(sid, prefix) {
  if (!canBeNamed(sid) || !canBeNamed(prefix)) return null;
  const under = prefix === DEFAULT_PREFIX ? '' : ` --prefix ${shellQuoted(prefix)}`;
  return `npx pome-globalchannel remove --from ADDRESS${under} --sid=${shellQuoted(sid)}`;
}

module.exports = { KINDS, problemsOf };
