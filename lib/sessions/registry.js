'use strict';

// Answers who is online, and where. A user is online on the frontends whose lists have the uid and whose leases have not
// expired: the list of a dead frontend counts no more from then on, whether it was removed already or not.

/** The maximum number of questions (a user on a frontend) that are asked at once. */
const MOST = 8192;

/** The maximum number of steps of one page, so that it ends soon where hardly any user matches. */
const STEPS = 16;

/** Makes `{answers, find}`. `store` is that of store.js. */
module.exports = function createRegistry(store) {
  /** The read of the leases that all questions of a tick share. */
  let reading;

  /** The answer to each method, by its name; the arguments are those of `src/binding/service/users.rs`. */
  const answers = {
    async getSidsByUid(uids, isArray) {
      const places = await placesOf(uids, await live());
      return byUid(uids, isArray, (uid) => places.get(uid));
    },
    async isOnline(uids, isArray) {
      const places = await placesOf(uids, await live());
      return byUid(uids, isArray, (uid) => places.get(uid).length > 0);
    },
    async getOnlineCount(sids) {
      const all = await live();
      const counts = await store.counts(sids ? among(all, sids) : all);
      return counts.reduce((sum, count) => sum + count, 0);
    },
    /** `from` and `inner` are the parts of a cursor: a frontend, and the cursor of its own page, or empty. */
    async getOnline(from, inner, limit, match) {
      const sids = await live();
      const isFirst = from === null || from === undefined;
      let at = isFirst ? 0 : sids.findIndex((sid) => sid >= from);
      let cursor = sids[at] === from ? inner : null;
      const uids = [];
      for (let step = 1; at >= 0 && at < sids.length; step += 1) {
        const page = await store.page(sids[at], cursor, limit - uids.length, match);
        uids.push(...page.names);
        cursor = page.cursor;
        if (cursor === null) at += 1;
        if (at < sids.length && (uids.length >= limit || step === STEPS)) {
          return { uids, cursor: `${cursor || ''}/${sids[at]}` };
        }
      }
      return { uids, cursor: null };
    },
  };

  return { answers, find };

  /** Finds users on `sids`: `{lists, offline}`, the list for each of `sids` and those who are on none of them. */
  async function find(sids, uids) {
    const places = await placesOf(uids, among(await live(), sids));
    const lists = new Map(sids.map((sid) => [sid, []]));
    const offline = [];
    for (const [uid, on] of places) {
      if (on.length === 0) offline.push(uid);
      for (const sid of on) lists.get(sid).push(uid);
    }
    return { lists: sids.map((sid) => lists.get(sid)), offline };
  }

  /** Returns the ids of the frontends whose leases have not expired, in order. All questions of a tick share the array. */
  function live() {
    if (!reading) {
      reading = store.leases().then((leases) => {
        const sids = leases.filter(({ ttl }) => ttl > 0).map(({ sid }) => sid);
        return Object.freeze(sids.sort());
      });
      // Those of a later tick read again: a lease may have been claimed meanwhile.
      setImmediate(() => {
        reading = undefined;
      });
    }
    return reading;
  }

  /** Returns the frontends of each user, a Map in the order of `uids`. */
  async function placesOf(uids, sids) {
    const places = new Map(uids.map((uid) => [uid, []]));
    if (sids.length === 0) return places;
    const distinct = [...places.keys()];
    const step = Math.max(1, Math.floor(MOST / sids.length));
    for (let at = 0; at < distinct.length; at += step) {
      const asked = distinct.slice(at, at + step);
      const found = await store.areMembers(sids, asked);
      asked.forEach((uid, i) =>
        places.set(
          uid,
          sids.filter((sid, j) => found[i][j]),
        ),
      );
    }
    return places;
  }
};

function among(sids, others) {
  const wanted = new Set(others);
  return sids.filter((sid) => wanted.has(sid));
}

/** Returns what `of` returns for the only uid, or for each as a property of its own. */
function byUid(uids, isArray, of) {
  return isArray ? Object.fromEntries(uids.map((uid) => [uid, of(uid)])) : of(uids[0]);
}
