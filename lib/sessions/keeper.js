'use strict';

// Keeps the lease of this frontend, and under it the list of its users who are online. The list is written at the first
// bind and at the last close of a user, and compared with the sessions each time the lease is renewed (comparison.js). So
// no write is repeated on its own.
//
// The store executes the writes of one connection in their order. Each write is made from the sessions as they are at
// that moment, so the last one decides. It does nothing unless the lease is held by this process, which the store checks in
// the step that writes: another process may have claimed it since the last renewal. What has become of the lease is then asked at
// once, with a renewal.

const { randomBytes } = require('crypto');
const createComparison = require('./comparison');
const createMembers = require('./members');
const { allowed, Refused } = require('./store');
const createTracker = require('./tracker');
const { SESSION } = require('../leases');
const { words } = require('../logger');

/** The maximum number of unanswered writes. What changes beyond it is left to a comparison. */
const MOST_WRITES = 256;

/** After a renewal that failed the next one comes this many times sooner. */
const SOONER = 4;

/**
 * Makes `{begin, end, close, stats, members}` for the frontend `sid`. `store` is that of store.js. `begin()` claims the
 * lease, `end()` releases it, `close()` only forgets it. Of `options`, `membership` tells whether memberships end with the
 * sessions (members.js), and `scan` is that of scan.js. `emit(event, told)` tells the app.
 */
module.exports = function createKeeper(app, sid, store, log, options, emit) {
  const { leaseTtl, longestUid, leaveDelay, membership, scan } = options;
  const epoch = (membership ? SESSION : '') + randomBytes(12).toString('hex');
  const period = leaseTtl / 3;
  const counts = { renewals: 0, failedRenewals: 0, regained: 0, lost: 0 };
  /** 'none' | 'held' | 'lost' | 'released' */
  let lease = 'none';
  let renewedAt;
  let timer;
  let writes = 0;
  let isFailing = false;
  let isRenewing = false;
  /** A renewal was brought forward, and has not brought the store in order yet: the next one comes at its time. */
  let isHurried = false;
  /** The claim, from its beginning. */
  let claimed = Promise.resolve();
  let isComparingAll = false;
  let hasRefused = false;

  /** The lease had expired, and the app was not told yet that it is held again. */
  let hasRegained = false;

  const tracker = createTracker(app, { longestUid, changed, refused });
  const isOwner = () => lease === 'held';
  const tools = { tracker, write, isHeld: isOwner, longest: period / SOONER };
  const comparison = createComparison(sid, store, log, tools);
  const members = membership
    ? createMembers(sid, store, log, {
        epoch,
        has: tracker.has,
        isHeld,
        hurry,
        leaveDelay,
        leaseTtl,
        scan,
      })
    : undefined;

  return { begin, end, close, stats, members: () => members?.stats() };

  async function begin() {
    tracker.start();
    tracker.reread();
    const sent = performance.now();
    const claim = store.claim(sid, epoch, leaseTtl);
    claimed = claim.then(
      () => {},
      () => {},
    );
    const { previous, removed } = await claim;
    if (lease !== 'none') return;
    lease = 'held';
    renewedAt = sent;
    plan(period);
    // Before the first client can connect: all members are of an earlier process.
    const left = membership ? await members.begin() : 0;
    if (removed > 0 || left > 0) {
      const what = `${removed} users and ${left} memberships of ${sid}, left by an earlier process`;
      log('info', `removed ${what}${previous ? ` (epoch ${previous})` : ''}`);
      emit('purged', { sid, users: removed, members: left });
    }
    await comparison.first();
  }

  /** Whether this process is the authority now. One that was stopped for long cannot know it before its renewal. */
  function isHeld() {
    return lease === 'held' && performance.now() - renewedAt < leaseTtl;
  }

  /** Releases the lease, so that the users of this frontend are offline. Resolves in any case. */
  async function end() {
    close();
    await claimed;
    try {
      await members?.purge();
      await store.release(sid, epoch);
    } catch (err) {
      log('warn', `the lease of ${sid} was not released, and expires: ${words(err)}`);
    }
  }

  function close() {
    lease = 'released';
    clearTimeout(timer);
    comparison.close();
    tracker.stop();
    members?.close();
  }

  function plan(ms) {
    if (lease === 'released') return;
    clearTimeout(timer);
    // Unreferenced: the service keeps the process alive itself until its stop.
    timer = setTimeout(renew, ms).unref();
  }

  /** Renews now, because the store has refused a step. A renewal that is under way tells the same, or what follows it is refused. */
  function hurry() {
    if (isHurried || isRenewing || lease !== 'held') return;
    isHurried = true;
    plan(0);
  }

  async function renew() {
    const began = performance.now();
    let state;
    isRenewing = true;
    try {
      state = await store.renew(sid, epoch, leaseTtl);
    } catch (err) {
      renewalFailed(err);
      return;
    } finally {
      isRenewing = false;
    }
    if (lease === 'released') return;
    counts.renewals += 1;
    take(state, began);
    // The next renewal does not wait for the comparison, which may take longer than the lease.
    plan(Math.max(period - (performance.now() - began), 0));
    if (lease === 'held') {
      // What the store refuses is no fault: a renewal that tells why is due.
      compareAll().catch((err) => {
        if (!(err instanceof Refused)) renewalFailed(err);
      });
    } else {
      isFailing = false;
    }
  }

  function renewalFailed(err) {
    if (lease === 'released') return;
    counts.failedRenewals += 1;
    if (!isFailing) {
      log('warn', `the lease of ${sid} could not be renewed, and is tried again: ${words(err)}`);
    }
    isFailing = true;
    plan(period / SOONER);
  }

  /** Compares what is in the store with the sessions, after a renewal. One that takes long goes on over the next ones. */
  async function compareAll() {
    members?.resume();
    if (isComparingAll) return;
    isComparingAll = true;
    try {
      let regained;
      do {
        ({ regained } = counts);
        await comparison.compare();
        await members?.compare();
        // If the lease was regained meanwhile, what was purged before that may be missing.
      } while (counts.regained > regained && isOwner());
      isFailing = false;
      isHurried = false;
      tellRegained();
    } finally {
      isComparingAll = false;
    }
  }

  /** Takes the answer to a renewal, which was sent at the time `sent`. */
  function take(state, sent) {
    if (state !== 'held') isHurried = false;
    if (state === 'lost') {
      if (lease === 'held') {
        counts.lost += 1;
        const line = `another process has claimed the lease of ${sid}, so this one writes no users any more`;
        log('error', `${line}: are there two servers of this id?`);
        emit('lease-lost', { sid });
      }
      lease = 'lost';
      members?.lost();
      return;
    }
    renewedAt = sent;
    if (state === 'regained') {
      counts.regained += 1;
      log(
        'warn',
        `the lease of ${sid} had expired and was claimed again; its users are added again`,
      );
      hasRegained = true;
      members?.regained();
    }
    lease = 'held';
  }

  /** After what was purged meanwhile was put back. */
  function tellRegained() {
    if (!hasRegained || lease !== 'held') return;
    hasRegained = false;
    emit('lease-regained', { sid });
  }

  /** Handles the first session, or the end of the last session, of a user. */
  function changed(uid) {
    members?.[tracker.has(uid) ? 'came' : 'went'](uid);
    if (lease !== 'held') return;
    if (writes >= MOST_WRITES) {
      comparison.fallBehind();
      return;
    }
    write(tracker.has(uid) ? 'add' : 'remove', [uid]).catch((err) => {
      if (!comparison.isBehind() && lease !== 'released') {
        const what =
          err instanceof Refused ? 'was not written' : 'is written with the next renewal';
        log('warn', `who is online on ${sid} ${what}: ${words(err)}`);
      }
      comparison.fallBehind();
    });
  }

  async function write(op, uids) {
    writes += 1;
    try {
      await allowed(store[op](sid, epoch, uids));
    } catch (err) {
      if (err instanceof Refused) hurry();
      throw err;
    } finally {
      writes -= 1;
    }
    // Those that were too many at once do not wait for the next renewal.
    if (writes === 0 && comparison.isBehind()) comparison.compare().catch(() => {});
  }

  function refused(uid) {
    if (hasRefused) return;
    hasRefused = true;
    const line = `a uid of ${Buffer.byteLength(uid)} bytes is too long for the store`;
    log('warn', `${line}: such users do not count as online`);
  }

  function stats() {
    const age = renewedAt === undefined ? null : Math.round(performance.now() - renewedAt);
    const state = lease === 'held' && age > leaseTtl ? 'expired' : lease;
    return { lease: { sid, state, age }, ...tracker.counts(), ...counts, ...comparison.counts() };
  }
};
