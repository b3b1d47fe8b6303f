'use strict';

/**
 * Events of channels (option `events`, `watch`): which there are, with what, and to whom. Those of memberships that end with
 * sessions: reasons.test.js; whether any is lost: follow.test.js.
 */

const assert = require('assert');
const { stores, ours } = require('../support/rows');
const { call, ok } = require('../support/call');
const { create, optionsOf, refusal, started } = require('../support/service');
const { nothingFor, until } = require('../support/until');
const { begun, record } = require('./follower');

const EVENTS = { events: true, leaveDelay: 0 };
const UNSUPPORTED = { code: 'ERR_GLOBAL_CHANNEL_UNSUPPORTED' };
const ARGUMENT = { code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT' };

let lasts = 0;

stores('EV events of channels', (ctx) => {
  /** A service with a watch, and its events. */
  async function watching(what, options) {
    const service = await started(ctx.store, { ...EVENTS, ...options });
    const watch = service.watch(what);
    const log = record(watch);
    await begun(log);
    return { service, watch, log };
  }

  /** Another process in effect: a service of its own changes channels; its events, up to that of `last`. */
  async function told(log, work) {
    const other = await started(ctx.store, EVENTS);
    await work((method, ...args) => ok(other, method, ...args));
    lasts += 1;
    const last = `last ${lasts}`;
    await ok(other, 'add', 'last', last, 's1');
    await until(() => log.some(([, { uids }]) => uids && uids[0] === last), 'the last event');
    return log.splice(0).filter(([, { name }]) => name !== 'last');
  }

  ours('EV1 join, leave, occupied, vacated and destroy, of another process', async () => {
    const { log } = await watching(['a', 'last']);
    const events = await told(log, async (run) => {
      await run('add', 'a', ['u1', 'u2'], 's1');
      await run('add', 'a', ['u2', 'u1'], 's2');
      await run('leave', 'a', ['u1', 'u2'], 's1');
      await run('leave', 'a', ['u1', 'u2'], 's2');
      await run('addMany', 'a', [{ uid: 'x', sid: 's1' }]);
      await run('destroyChannel', 'a');
    });
    const reason = 'call';
    const [at1, at2] = ['s1', 's2'].map((sid) => ({ name: 'a', sid, reason }));
    assert.deepStrictEqual(events, [
      ['occupied', at1],
      ['join', { ...at1, uids: ['u1', 'u2'] }],
      ['join', { ...at2, uids: ['u2', 'u1'] }],
      ['leave', { ...at1, uids: ['u1', 'u2'] }],
      ['leave', { ...at2, uids: ['u1', 'u2'] }],
      ['vacated', at2],
      ['occupied', at1],
      ['join', { ...at1, uids: ['x'] }],
      ['destroy', { name: 'a', sid: 's1', reason: 'destroy', count: 1 }],
      ['vacated', { ...at1, reason: 'destroy' }],
    ]);
  });

  ours('EV2 only what has changed is told, and nothing if nothing has', async () => {
    const { log } = await watching({ prefix: '' });
    const events = await told(log, async (run) => {
      await run('add', 'a', ['u1', 'u2'], 's1');
      await run('add', 'a', ['u2', 'u3'], 's1');
      await run('add', 'a', ['u2', 'u3'], 's1');
      await run('leave', 'a', ['u9'], 's1');
      await run('leave', 'b', ['u9'], 's1');
      await run('leave', 'a', ['u9', 'u1'], null);
      await run('destroyChannel', 'b');
    });
    const uids = events.filter(([, its]) => its.uids).map(([event, its]) => [event, its.uids]);
    assert.deepStrictEqual(uids, [
      ['join', ['u1', 'u2']],
      ['join', ['u3']],
      ['leave', ['u1']],
    ]);
    assert.strictEqual(events.length, 4);
  });

  ours('EV3 what removes channels by their keys tells of each: everywhere, clean', async () => {
    const { log } = await watching({ prefix: '' });
    const events = await told(log, async (run) => {
      await run('add', ['a', 'b'], 'u', 's1');
      await run('add', ['a', 'b'], 'u', 'gone');
      await run('destroyChannel', 'a', { everywhere: true });
      await run('clean');
    });
    const destroyed = events.filter(([event]) => event === 'destroy');
    const places = destroyed.map(([, { name, sid, count }]) => `${name} ${sid} ${count}`);
    assert.deepStrictEqual(places.slice(0, 2).sort(), ['a gone 1', 'a s1 1']);
    assert.deepStrictEqual(places.slice(2).sort(), ['b gone 1', 'b s1 1']);
    const vacated = events.filter(([event]) => event === 'vacated').map(([, { name }]) => name);
    assert.deepStrictEqual(vacated, ['a', 'b']);
  });

  ours('EV4 names and prefixes, each watch its own, until it is closed', async () => {
    const { service, watch, log } = await watching(['a', 'last']);
    const rooms = service.watch({ prefix: 'room-' });
    const heir = Object.create(service).watch('room-1');
    const [ofRooms, ofHeir] = [record(rooms), record(heir)];
    await Promise.all([begun(ofRooms), begun(ofHeir)]);
    await told(log, async (run) => {
      await run('add', ['a', 'ab', 'room', 'room-1', 'room-2'], 'u', 's1');
    });
    const joined = (events) => events.filter(([event]) => event === 'join').map(([, e]) => e.name);
    assert.deepStrictEqual(joined(ofRooms.splice(0)), ['room-1', 'room-2']);
    assert.deepStrictEqual(joined(ofHeir.splice(0)), ['room-1']);
    rooms.close();
    rooms.close();
    await told(log, (run) => run('leave', ['room-1', 'room-2'], 'u', 's1'));
    assert.deepStrictEqual([ofRooms.length, ofHeir.length], [0, 2]);
    watch.close();
    heir.close();
    // The subscription goes with the last watch.
    await until(async () => !(await isSubscribed(false)), 'the end of the subscription');
    assert.deepStrictEqual([log.length, ofHeir.length], [0, 2]);
    await begun(record(service.watch('a')));
  });

  ours('EV5 vacated waits leaveDelay, and is not told if there is a member again', async () => {
    const { log } = await watching(['a', 'b', 'last'], { leaveDelay: 2000 });
    const events = await told(log, async (run) => {
      await run('add', ['a', 'b'], 'u', 's1');
      await run('leave', ['a', 'b'], 'u', 's1');
      await run('add', 'a', 'u', 's2');
    });
    const kinds = (all) => all.map(([event, { name }]) => `${event} ${name}`);
    assert.deepStrictEqual(kinds(events), [
      'occupied a',
      'join a',
      'occupied b',
      'join b',
      'leave a',
      'leave b',
      'join a',
    ]);
    await until(() => log.length > 0, 'b to be vacated');
    await nothingFor(50);
    assert.deepStrictEqual(kinds(log), ['vacated b']);
  });

  ours('EV6 with hash tags, bytes that are no text, and another database', async () => {
    const tags = ctx.redis ? { hashTag: true } : {};
    const { log } = await watching({ prefix: '' }, tags);
    const other = await started(ctx.store.other(1), EVENTS);
    await ok(other, 'add', 'of another database', 'u', 's1');
    const tagged = await started(ctx.store, { ...EVENTS, ...tags });
    await ok(tagged, 'add', 'é:"\n', [Buffer.from([0xff, 0x3a]), '1:x', ''], 's1');
    await until(() => log.length > 1, 'the events');
    const { name, uids } = log[1][1];
    assert.strictEqual(name, 'é:"\n');
    assert.deepStrictEqual(uids, ['\ufffd:', '1:x', '']);
    assert.strictEqual(log.length, 2);
  });

  ours('EV7 without the option nothing is published, and nothing can be watched', async () => {
    const { log } = await watching(['a', 'last']);
    const silent = await started(ctx.store, {});
    await ok(silent, 'add', 'a', 'u', 's1');
    assert.throws(() => silent.watch('a'), UNSUPPORTED);
    assert.strictEqual(silent.stats().events, null);
    assert.deepStrictEqual(await told(log, () => {}), []);
  });

  ours('EV16 changes under another prefix are no events', async () => {
    const { service, log } = await watching({ prefix: '' });
    const other = await started(ctx.store, { ...EVENTS, prefix: 'POMELO' });
    await ok(other, 'add', 'CHANNEL:a', 'u', 's1');
    const own = await told(log, (run) => run('add', 'b', 'u', 's1'));
    assert.deepStrictEqual([...new Set(own.map(([, { name }]) => name))], ['b']);
    assert.strictEqual(service.stats().events.received, 2);
  });

  ours.redis('EV15 without the option no script is sent', async () => {
    const silent = await started(ctx.store, {});
    const monitor = await ctx.redis.monitor();
    await ok(silent, 'add', 'a', 'u', 's1');
    const names = (await monitor.commands()).map(([, name]) => name);
    assert.deepStrictEqual(
      names.filter((name) => name === 'EVAL' || name === 'PUBLISH'),
      [],
    );
  });

  ours('EV8 arguments that are no names, and server ids with a colon, are refused', async () => {
    const { service } = await watching('a');
    for (const what of [undefined, null, 5, [], ['a', 5], {}, { prefix: 5 }, () => {}]) {
      assert.throws(() => service.watch(what), ARGUMENT, String(what));
    }
    for (const [method, ...args] of [
      ['add', 'n', 'u', 'h:1'],
      ['add', ['n', 'm'], 'u', 'h:1'],
      ['leave', 'n', 'u', 'h:1'],
      ['addMany', 'n', [{ uid: 'u', sid: 'h:1' }]],
    ]) {
      const { err } = await call(service, method, ...args);
      assert.strictEqual(err.code, ARGUMENT.code, method);
    }
    await ok(service, 'add', 'n:m', 'u', 's1');
  });

  ours('EV9 a listener that throws stops no other, and the counters say what came', async () => {
    const { service, watch, log } = await watching(['a', 'last']);
    watch.once('join', () => log.push(['once', {}]));
    await told(log, (run) => run('add', ['a', 'b'], 'u', 's1'));
    const { received, watched, gaps } = service.stats().events;
    assert.deepStrictEqual([received, watched, gaps], [3, 2, 0]);
    assert.strictEqual(await isSubscribed(true), true);
  });

  ours('EV13 a custom manager watches itself, if it can', async () => {
    const watched = [];
    class Manager {
      add(name, uid, sid, cb) {
        for (const { listener } of watched) listener('join', { name, sid, uids: [uid] });
        cb(null);
      }
      watch(what, listener) {
        const own = { what, listener };
        watched.push(own);
        return () => watched.splice(watched.indexOf(own), 1);
      }
    }
    const service = await started(ctx.store, { channelManager: Manager });
    const watch = service.watch({ prefix: 'n' });
    const log = record(watch);
    await ok(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual(log, [['join', { name: 'n', sid: 's1', uids: ['u'] }]]);
    assert.deepStrictEqual(watched[0].what, { prefix: 'n' });
    watch.close();
    assert.deepStrictEqual(watched, []);
    delete Manager.prototype.watch;
    const other = await started(ctx.store, { channelManager: Manager });
    assert.throws(() => other.watch('n'), { ...UNSUPPORTED, message: /channelManager/ });
    const err = refusal({ ...optionsOf(ctx.store), channelManager: Manager, events: true });
    assert.match(
      err.message,
      /option events is true; accepted is false with option channelManager/,
    );
  });

  ours('EV14 a watch that begins before start, and after one has failed', async () => {
    const service = create({ ...ctx.store.unusable(), ...EVENTS });
    const log = record(service.watch('a'));
    assert.ok((await call(service, 'start')).err);
    assert.deepStrictEqual(log, []);
    const later = create({ ...optionsOf(ctx.store), ...EVENTS });
    const watch = later.watch('a');
    const ofLater = record(watch);
    // What is read at the first gap is answered.
    const read = new Promise((resolve, reject) => {
      watch.once('gap', () => ok(later, 'getMembersBySid', 'a', 's1').then(resolve, reject));
    });
    await ok(later, 'start');
    assert.deepStrictEqual(await read, []);
    await begun(ofLater);
  });

  /** Whether a connection to the server is subscribed to changes; `otherwise` if that cannot be seen from outside. */
  async function isSubscribed(otherwise) {
    if (!ctx.redis) return otherwise;
    const [, count] = await ctx.redis.run(0, 'pubsub', 'numsub', 'POMELO:CHANNEL@events:0');
    return Number(count) > 0;
  }
});
