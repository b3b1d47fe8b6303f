'use strict';

/**
 * The table of the model test (model.js): for each method which arguments it is called with, and what it does and answers. A new
 * method takes one row here; contract/c-model.test.js fails without it.
 */

const fc = require('fast-check');

/** The frontends of the stub application, its backend, and a server that it does not know. */
const FRONTENDS = ['s1', 's2', 's3'];
const TYPES = { connector: FRONTENDS, chat: ['backend-1'] };
const GONE = 'gone';
const SIDS = [...FRONTENDS, 'backend-1', GONE];
const NAMES = ['a', 'ü:1', '__proto__', 7];
/** The last is the name of a property of every object: no frontend has such a user. */
const UIDS = ['u', 'v', 'w', '', '🎮', '"quoted"\\', 'x\ny', 5, '5', 'constructor'];

const POISON = 'constructor';
/** What frontends say of a user without a session. */
const OFFLINE = 'w';

const each = (value) => (value === undefined ? [] : [].concat(value));
const texts = (value) => each(value).map(String);
const sum = (list, count) => list.reduce((total, item) => total + count(item), 0);
const byType = (type) => TYPES[type] || [];

/** What the store should hold, and which RPCs should have been made. */
class Model {
  constructor() {
    this.sets = new Map();
    /** All servers on which there were members. */
    this.sids = new Set();
    this.sent = [];
  }

  set(name, sid) {
    const key = JSON.stringify([String(name), sid]);
    if (!this.sets.has(key)) this.sets.set(key, new Set());
    return this.sets.get(key);
  }

  /** Adds a member; returns how many are new. */
  add(name, uid, sid) {
    this.sids.add(sid);
    const set = this.set(name, sid);
    const before = set.size;
    return set.add(String(uid)).size - before;
  }

  /** Removes a member; returns how many there were. */
  leave(name, uid, sid) {
    return sum(this.at(name, sid), (set) => Number(set.delete(String(uid))));
  }

  /** The sets of a channel: on one server, or with `null` on each on which there were members. */
  at(name, sid) {
    return (sid === null ? [...this.sids] : [sid]).map((each) => this.set(name, each));
  }

  /** The channels of a user on one server or on all, sorted; `leaves` removes him from them. */
  channelsOf(uid, sid, leaves) {
    const isIn = (name) =>
      this.at(name, sid).filter((set) => (leaves ? set.delete(uid) : set.has(uid))).length > 0;
    return NAMES.map(String).filter(isIn).sort();
  }

  list(name, sid) {
    return [...this.set(name, sid)].sort();
  }

  bySid(name, sids) {
    return Object.fromEntries(sids.map((sid) => [sid, this.list(name, sid)]));
  }

  /** Those of `uids` to whom the options of a push send it. */
  chosen(uids, { except, only }) {
    const out = texts(except);
    const left = [...uids].filter((uid) => !out.includes(uid));
    return only === undefined ? left : left.filter((uid) => texts(only).includes(uid));
  }

  /**
   * Pushes to the users of each frontend, `[[sid, uids], …]`; returns the failed uids. Those without users get no RPC; it
   * is an error if all have some and none takes the push.
   */
  push(route, targets) {
    const asked = targets.filter(([, uids]) => uids.some((uid) => uid !== POISON));
    const failed = targets.flatMap(([, uids]) => uids.filter((uid) => uid === POISON));
    for (const [sid, uids] of asked) {
      const sent = uids.filter((uid) => uid !== POISON).sort();
      this.sent.push([route, sid, sent]);
      failed.push(...(isDown(route, sid) ? sent : sent.filter((uid) => uid === OFFLINE)));
    }
    const isLost = asked.length > 0 && asked.every(([sid]) => isDown(route, sid));
    return isLost && asked.length === targets.length ? PUSH_FAILED : failed.sort();
  }
}

const PUSH_FAILED = { code: 'ERR_GLOBAL_CHANNEL_PUSH_FAILED' };

/** Whether the RPC of a push to this frontend fails. */
const isDown = (route, sid) => route.startsWith('bad') && sid !== 's1';

/** The frontends of the stub application, as the model has them. */
function rpc(sid, { method, args: [route, , uids] }, cb) {
  const fails = method === 'pushMessage' ? uids.map(String).filter((uid) => uid === OFFLINE) : [];
  process.nextTick(() => (isDown(route, sid) ? cb(new Error('down')) : cb(null, fails)));
}

const name = fc.constantFrom(...NAMES);
const sid = fc.constantFrom(...SIDS);
const uid = fc.constantFrom(...UIDS);
const type = fc.constantFrom('connector', 'connector', 'connector', 'chat', 'none');
const list = (one) => fc.array(one, { maxLength: 4 });
/** One, or an array. */
const some = (one) => fc.oneof(one, list(one));
const maybe = (one) => fc.option(one, { nil: undefined });
/** The same, or `null` for all frontends that the store knows. */
const orAll = (one) => fc.oneof({ weight: 3, arbitrary: one }, fc.constant(null));
const members = list(fc.record({ uid, sid }));
const route = fc.constantFrom('good', 'good', 'bad');
const users = { except: maybe(some(uid)), only: maybe(some(uid)) };
const others = { filter: fc.constant('kept') };

/** A single name is what 0.0.7 knows, and an empty array of uids it does not send. */
const isOld = (names, uids = '') => !Array.isArray(names) && each(uids).length > 0;

/**
 * method → `args`, an arbitrary of its arguments; `run(model, …args)`, which changes the model and returns the answer,
 * or `{code}` of an error. Besides `weight` (1), `old(…args)`: 0.0.7 takes these arguments, `isEverywhere(…args)`: they
 * are about all frontends, `isIndexed`: it needs option `membership: 'session'`, `isCounted`: a custom manager of 0.0.7
 * does not tell the answer, `isOwn`: such a manager lacks the method, and no other one replaces it, `isScan`: it may see
 * calls that are made after it.
 */
const COMMANDS = {
  add: {
    weight: 6,
    args: fc.tuple(some(name), some(uid), sid),
    run: (model, names, uids, sid) =>
      sum(each(names), (name) => sum(each(uids), (uid) => model.add(name, uid, sid))),
    // What 0.0.7 adds on a frontend that is not registered is found by a scan only.
    old: (names, uids, sid) => isOld(names, uids) && sid !== GONE,
    isCounted: true,
  },
  leave: {
    weight: 2,
    args: fc.tuple(some(name), some(uid), orAll(sid)),
    run: (model, names, uids, sid) =>
      sum(each(names), (name) => sum(each(uids), (uid) => model.leave(name, uid, sid))),
    old: (names, uids, sid) => isOld(names, uids) && sid !== null,
    isEverywhere: (names, uids, sid) => sid === null,
    isCounted: true,
  },
  addMany: {
    weight: 2,
    args: fc.tuple(name, members),
    run: (model, name, list) => sum(list, ({ uid, sid }) => model.add(name, uid, sid)),
    isOwn: true,
  },
  leaveMany: {
    args: fc.tuple(name, members),
    run: (model, name, list) => sum(list, ({ uid, sid }) => model.leave(name, uid, sid)),
    isOwn: true,
  },
  destroyChannel: {
    args: fc.oneof(
      fc.tuple(some(name)),
      fc.tuple(some(name), fc.record({ everywhere: fc.boolean() })),
    ),
    run(model, names, { everywhere } = {}) {
      const sids = everywhere ? [...model.sids] : FRONTENDS;
      for (const name of each(names)) sids.forEach((sid) => model.set(name, sid).clear());
    },
    old: (names, opts) => isOld(names) && opts === undefined,
    isEverywhere: (names, opts) => Boolean(opts?.everywhere),
  },
  leaveAll: {
    weight: 2,
    args: fc.tuple(uid, orAll(sid)),
    run: (model, uid, sid) => model.channelsOf(String(uid), sid, true),
    isIndexed: true,
  },
  getChannelsByUid: {
    weight: 2,
    args: fc.tuple(uid, orAll(sid)),
    run: (model, uid, sid) => model.channelsOf(String(uid), sid, false),
    isIndexed: true,
  },
  clean: {
    weight: 0.2,
    args: fc.tuple(),
    run: (model) => model.sets.clear(),
  },
  getMembersBySid: {
    args: fc.tuple(name, sid),
    run: (model, name, sid) => model.list(name, sid),
    old: () => true,
  },
  getCountBySid: {
    args: fc.tuple(name, sid),
    run: (model, name, sid) => model.set(name, sid).size,
  },
  getCount: {
    args: fc.tuple(name, orAll(type)),
    run: (model, name, type) =>
      type === null
        ? sum(model.at(name, null), (set) => set.size)
        : sum(byType(type), (sid) => model.set(name, sid).size),
    isEverywhere: (name, type) => type === null,
  },
  isMember: {
    args: fc.tuple(name, uid, orAll(sid)),
    run: (model, name, uid, sid) => model.at(name, sid).some((set) => set.has(String(uid))),
    isEverywhere: (name, uid, sid) => sid === null,
  },
  getMembersByChannelName: {
    args: fc.tuple(type, name),
    run: (model, type, name) =>
      byType(type)
        .flatMap((sid) => model.list(name, sid))
        .sort(),
    old: () => true,
  },
  getMembersByChannelNameBySid: {
    args: fc.tuple(type, some(name)),
    run(model, type, names) {
      const of = (name) => model.bySid(name, byType(type));
      if (!Array.isArray(names)) return of(names);
      return Object.fromEntries(names.map((name) => [name, of(name)]));
    },
  },
  // The lists and channels of a history fit in one page; longer ones are in contract/c-pages.test.js.
  scanMembers: {
    args: fc.tuple(name, sid, fc.constant({ limit: 100 })),
    run: (model, name, sid) => ({ members: model.list(name, sid), cursor: null }),
  },
  getChannels: {
    args: fc.tuple(fc.constant({})),
    run(model) {
      const counts = NAMES.map((name) => [name, sum(model.at(name, null), (set) => set.size)]);
      const channels = counts.filter(([, count]) => count > 0);
      return {
        channels: channels.map(([name, count]) => ({ name: String(name), count })),
        cursor: null,
      };
    },
    isOwn: true,
    isScan: true,
  },
  pushMessage: {
    weight: 3,
    args: fc.tuple(
      type,
      route,
      fc.constant({ t: 1 }),
      some(name),
      fc.record({
        ...users,
        ...others,
        exceptChannels: maybe(some(name)),
        sids: maybe(some(fc.constantFrom(...SIDS))),
      }),
    ),
    run(model, type, route, msg, names, opts) {
      const sids = byType(type).filter((sid) => !opts.sids || each(opts.sids).includes(sid));
      // A push to no channel asks no frontend.
      const targets = each(names).length === 0 ? [] : sids;
      const of = (given, sid) => each(given).flatMap((name) => model.list(name, sid));
      return model.push(
        route,
        targets.map((sid) => {
          const out = of(opts.exceptChannels, sid);
          const uids = new Set(of(names, sid).filter((uid) => !out.includes(uid)));
          return [sid, model.chosen(uids, opts)];
        }),
      );
    },
  },
  pushMessageByUids: {
    args: fc.tuple(
      type,
      route,
      fc.constant({ t: 1 }),
      some(uid),
      fc.record({ ...users, ...others, sid: fc.constantFrom(...FRONTENDS) }),
    ),
    run: (model, type, route, msg, uids, opts) =>
      model.push(route, [[opts.sid, model.chosen(new Set(texts(uids)), opts)]]),
  },
  broadcast: {
    args: fc.tuple(
      type,
      route,
      fc.constant({ t: 1 }),
      fc.record({ ...others, sids: maybe(some(fc.constantFrom(...SIDS))) }),
    ),
    run(model, type, route, msg, { sids: given }) {
      const sids = byType(type).filter((sid) => given === undefined || each(given).includes(sid));
      for (const sid of sids) model.sent.push([route, sid, null]);
      const failed = sids.filter((sid) => isDown(route, sid));
      return failed.length > 0 && failed.length === sids.length ? PUSH_FAILED : failed.sort();
    },
  },
};

module.exports = { COMMANDS, GONE, Model, NAMES, SIDS, UIDS, rpc };
