'use strict';

// What an operator can look at in a store, for the command line (bin/) and the inspector's page. Reads only. Each answer is bounded:
// what may be long comes in pages, and totals are counted by scans of at most `limit` keys.
//
//   openViews(address, {prefix, hashTag}) -> Views
//
// `address` is one of docs/CLI.md; throws ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT for any other. The store is connected to at the first
// question, and again after a lost connection. All methods return promises, which are rejected with an error that has a `code`.
//
//   overview({limit})     {store: {kind, name, version}, prefix, channels, members, frontends, leases: {held, expired, none},
//                         online, isComplete}
//                         kind: redis, sentinel, cluster or embedded; name: the address without secrets; version: text or null;
//                         isComplete: false if there are more than `limit` (100,000) keys: counts are then of these keys;
//                         channels: each name once; members: each on each frontend; frontends: all that are known;
//                         leases: how many of these frontends have a lease in that state;
//                         online: users with a lease that is held, on each frontend
//   frontends({limit})    {frontends: [{sid, lease, epoch, ttl, age, ends, isIndexed, online, channels, members}], isComplete}
//                         in the order of the sids. lease: held, expired or none; epoch: text or null; ttl: ms until it
//                         expires, 0 if it is not held; age: ms since it was released or swept, null if that is not known;
//                         ends: whether members end with their sessions (membership: 'session'); isIndexed: whether the index
//                         of members has users there; online: users in its list, also if the lease has expired;
//                         channels and members: counted in `limit` keys at most, as in overview
//   channels({match, cursor, limit})
//                         {channels: [{name, count, frontends: [{sid, count}]}], cursor}
//                         match: a glob as of getChannels; frontends: those with members, in the order of the counts, most first
//   members({name, sid, cursor, limit})
//                         {name, count, frontends: [{sid, count}], members: [{uid, sid}], cursor, isComplete}
//                         frontend by frontend; with `sid` only those on that one. count and frontends: of the whole channel.
//                         isComplete: false as long as the keys were not searched for frontends that are in no index, which
//                         goes on with each page; `find` does it at once
//   whois({uid, cursor, limit})
//                         {uid, online: [sid], channels: [{name, sid}], cursor}
//                         online: by leases that are held. The first page has the channels of the frontends with an index of
//                         members; those of others, and what is not in an index, are found by a scan of the keys, `limit`
//                         (1000) on each further page. A channel may come again
//   problems({cursor, limit})
//                         {problems: [{kind, id, text, sid, key, count, command}], cursor}
//                         kind: one of KINDS; id: the same on all pages for the same problem, whose counts are to be added
//                         up; sid and key: null where there is none; command: what mends it, for a shell, or null. `limit`
//                         (1000) keys are looked at for a page
//   find({limit, onKeys}) {isComplete}: searches at most `limit` (1,000,000) keys for frontends that are in no index: those with
//                         members that only 0.0.7 has added. Once for all later views; `onKeys(count)` is called after each step
//   close()               ends the connection; resolves when it is closed
//
// `cursor` is null, or left out, for the first page, and null in the answer after the last one; a page may be empty and have a cursor.
// `limit` is 1 to 10,000, 100 by default; of overview and frontends 1 to 2,000,000, of find 1 to
// 1,000,000,000. `overview` and `frontends` also take
// `onKeys`. Bytes that are not UTF-8 read as U+FFFD. Texts are as they are in the store, with control characters and all else:
// what shows them escapes them.

const { openStore } = require('../native');
const { readNotes } = require('../leaseMarks');
const { KINDS, problemsOf } = require('./problems');
const { lookAt } = require('./tally');

/** The number of keys that are looked at in one step of a scan. */
const STEP = 1000;

/** The number of keys that totals are made of, and that are searched for frontends. */
const TOTAL = 100000;
const SEARCHED = 1000000;

/** The most keys that totals are made of: each is kept in memory meanwhile, since a scan may find it twice. */
const MOST_COUNTED = 2000000;

/** What the cursors of several scans begin with. */
const KEYS = 'keys';

class Views {
  constructor(address, { prefix, hashTag } = {}) {
    this.reader = openStore(address, prefix || '', Boolean(hashTag));
    this.looks = new Map();
  }

  /** Asks a question of src/inventory/views/. */
  async ask(name, more) {
    return JSON.parse(await this.reader.ask(JSON.stringify({ ask: name, ...more })));
  }

  async overview(given = {}) {
    const [{ prefix, kind, name, version }, { rows, channels, members, isComplete }] =
      await Promise.all([this.ask('store'), this.look(given)]);
    const leases = { held: 0, expired: 0, none: 0 };
    for (const { lease } of rows) leases[lease] += 1;
    const online = sum(rows.filter(({ lease }) => lease === 'held').map((row) => row.online));
    const store = { kind, name, version };
    const frontends = rows.length;
    return { store, prefix, channels, members, frontends, leases, online, isComplete };
  }

  async frontends(given = {}) {
    const { rows, isComplete } = await this.look(given);
    return { frontends: rows, isComplete };
  }

  async channels({ match, cursor, limit } = {}) {
    return this.ask('channels', { match, ...page({ cursor, limit }) });
  }

  async members({ name, sid, cursor, limit } = {}) {
    const asked = page({ cursor, limit });
    const { isDone } = await this.ask('meet', { limit: STEP });
    const frontends = await this.ask('spread', { name: text('name', name) });
    const sids = isGiven(sid) ? [text('sid', sid)] : frontends.map((each) => each.sid).sort();
    const members = [];
    let [at, inner] = placeIn(sids, asked.cursor);
    while (at < sids.length && members.length < asked.limit) {
      const on = { name, sid: sids[at], cursor: inner, limit: asked.limit - members.length };
      const found = await this.ask('members', on);
      members.push(...found.members.map((uid) => ({ uid, sid: sids[at] })));
      inner = found.cursor;
      if (inner === null) at += 1;
      else break;
    }
    const next = at < sids.length ? `${inner || ''}/${sids[at]}` : null;
    const count = sum(frontends.map((each) => each.count));
    return { name, count, frontends, members, cursor: next, isComplete: isDone };
  }

  async whois({ uid, cursor, limit = STEP } = {}) {
    const asked = { uid: text('uid', uid), ...page({ cursor, limit }) };
    const rows = await this.rows();
    const held = sidsOf(rows.filter(({ lease }) => lease === 'held'));
    const isOn = held.length > 0 ? await this.ask('online', { uid, sids: held }) : [];
    const online = held.filter((_, i) => isOn[i]);
    if (asked.cursor === null) {
      const sids = sidsOf(rows.filter(({ isIndexed }) => isIndexed));
      const joined = await this.ask('joined', { uid, sids });
      const channels = sids.flatMap((sid, i) => joined[i].map((name) => ({ name, sid })));
      return { uid, online, channels, cursor: KEYS };
    }
    const inner = asked.cursor === KEYS ? null : asked.cursor;
    const found = await this.ask('whereabouts', { ...asked, cursor: inner });
    return { uid, online, channels: found.channels, cursor: found.cursor };
  }

  async problems({ cursor, limit = STEP } = {}) {
    return problemsOf(this, page({ cursor, limit }));
  }

  async find({ limit = SEARCHED, onKeys = () => {} } = {}) {
    const most = bounded('limit', limit, 1e9);
    for (let looked = 0; looked < most; looked += STEP) {
      const { scanned, isDone } = await this.ask('meet', { limit: STEP });
      onKeys(scanned);
      if (isDone) return { isComplete: true };
    }
    return { isComplete: false };
  }

  async close() {
    this.closing = this.closing || this.reader.close();
    await this.closing;
  }

  /** Returns the rows of `frontends` without counts of members. Internal. */
  async rows() {
    const { sids, noted, ending, leases, online, indexed, denied } = await this.ask('frontends');
    const { sids: leased, describe } = readNotes(noted, ending);
    const isLeased = new Set(leased);
    const holders = new Map(leases.map((lease) => [lease.sid, lease]));
    const rows = sids.map((sid, i) => {
      const { epoch, ttl, ends, isSwept, age } = describe(
        sid,
        holders.get(sid) || { epoch: '', ttl: 0 },
      );
      const isExpired = isLeased.has(sid) && !isSwept;
      return {
        sid,
        lease: epoch ? 'held' : isExpired ? 'expired' : 'none',
        epoch,
        ttl,
        age: epoch || age === Infinity ? null : age,
        ends,
        isIndexed: indexed[i],
        online: online[i],
      };
    });
    return Object.assign(rows, { denied });
  }

  /** Scans for totals; scans that are asked for at once are one. Internal. */
  look({ limit = TOTAL, onKeys = () => {} }) {
    const most = bounded('limit', limit, MOST_COUNTED);
    const begun = this.looks.get(most);
    if (begun) return begun;
    const looking = lookAt(this, most, onKeys).finally(() => this.looks.delete(most));
    this.looks.set(most, looking);
    return looking;
  }
}

/** Opens the views of a store: see above. */
function openViews(address, options) {
  return new Views(address, options || {});
}

const isGiven = (value) => value !== undefined && value !== null;
const sum = (counts) => counts.reduce((total, count) => total + count, 0);
const sidsOf = (rows) => rows.map(({ sid }) => sid);

/** Returns a cursor's place in a list: its index, and the cursor of that element's own pages. */
function placeIn(sids, cursor) {
  if (cursor === null) return [0, null];
  const slash = cursor.indexOf('/');
  if (slash < 0) throw refusal('cursor is not that of a page of the same view');
  const sid = cursor.slice(slash + 1);
  const at = sids.findIndex((other) => other >= sid);
  // A frontend that has no members any more has no page either.
  if (at < 0) return [sids.length, null];
  return [at, (sids[at] === sid && cursor.slice(0, slash)) || null];
}

/** Returns cursor and limit, checked. */
function page({ cursor, limit }) {
  if (isGiven(cursor)) text('cursor', cursor);
  return { cursor: isGiven(cursor) ? cursor : null, limit: bounded('limit', limit ?? 100, 10000) };
}

function bounded(name, value, most) {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw refusal(`${name} must be a whole number from 1 to ${most}`);
}

function text(name, value) {
  if (typeof value === 'string') return value;
  throw refusal(`${name} must be a text`);
}

function refusal(words) {
  return Object.assign(new TypeError(words), { code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT' });
}

module.exports = { openViews, KINDS };
