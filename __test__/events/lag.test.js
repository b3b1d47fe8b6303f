'use strict';

/** How late events are (`stats().events.lag`): at least as late as what has held them up, and nothing else is counted. */

const assert = require('assert');
const { stores, ours } = require('../support/rows');
const { ok } = require('../support/call');
const { optionsOf, started } = require('../support/service');
const { pause, until } = require('../support/until');
const parse = require('../metrics/exposition');
const { begun, record } = require('./follower');
const { startWatcher } = require('./watcher');

const EVENTS = { events: true, leaveDelay: 0 };

/** How long a process is stopped, in ms: above a bound of the buckets. */
const STOPPED = 600;
const BOUND = 500;

/** How many took longer than BOUND. */
const late = ({ count, bounds, buckets }) => count - buckets[bounds.indexOf(BOUND)];

stores('EL how late events are', (ctx) => {
  ours('EL1 a process that is stopped: for so long at least, in the metrics too', async () => {
    const own = await started(ctx.store, EVENTS);
    const { child, log, ask, end } = await startWatcher({ ...optionsOf(ctx.store), ...EVENTS }, [
      'a',
    ]);
    try {
      await ok(own, 'add', ['a', 'unwatched'], 'u', 's1');
      await until(() => log.length === 1, 'the first event');
      const { lag: before } = (await ask()).stats;
      assert.strictEqual(before.count, 1);
      child.kill('SIGSTOP');
      await ok(own, 'add', 'a', 'v', 's1');
      await ok(own, 'leave', 'a', 'v', 's1');
      const made = Date.now();
      await pause(STOPPED);
      const stopped = Date.now() - made;
      child.kill('SIGCONT');
      await until(() => log.length === 3, 'the other events');
      const { stats, text } = await ask();
      const { lag } = stats;
      assert.strictEqual(lag.count, 3);
      assert.strictEqual(late(lag) - late(before), 2);
      const more = lag.sum - before.sum;
      assert.ok(more >= 2 * stopped, `${more} ms, stopped for ${stopped}`);
      const { types, samples } = parse(text);
      const name = 'globalchannel_event_lag_seconds';
      assert.strictEqual(types[name], 'histogram');
      assert.strictEqual(samples[`${name}_count`], 3);
      assert.strictEqual(samples[`${name}_sum`], lag.sum / 1000);
      const bucket = (le) => samples[`${name}_bucket{le="${le}"}`];
      assert.deepStrictEqual([bucket(BOUND / 1000), bucket('+Inf')], [3 - late(lag), 3]);
    } finally {
      await end();
    }
  });

  ours.redis('EL2 a server that hangs holds up the change, and its event', async () => {
    const service = await started(ctx.store, EVENTS);
    const log = record(service.watch('a'));
    await begun(log);
    ctx.redis.pause();
    let stopped;
    try {
      const adding = ok(service, 'add', 'a', 'u', 's1');
      await until(() => service.stats().inFlight > 0, 'the change to be sent');
      const sent = Date.now();
      await pause(STOPPED);
      stopped = Date.now() - sent;
      ctx.redis.resume();
      await adding;
    } finally {
      ctx.redis.resume();
    }
    await until(() => log.length === 2, 'the events');
    const { lag } = service.stats().events;
    assert.deepStrictEqual([lag.count, late(lag)], [1, 1]);
    assert.ok(lag.sum >= stopped, `${lag.sum} ms, stopped for ${stopped}`);
  });

  ours.redis('EL3 changes of a version that sends no time are events without a lag', async () => {
    const service = await started(ctx.store, EVENTS);
    const log = record(service.watch('a'));
    await begun(log);
    const message = '+e4:call1:a2:s11:1:u-e4:call1:a2:s11:1:u';
    await ctx.redis.run(0, 'publish', 'POMELO:CHANNEL@events:0', message);
    await until(() => log.length === 4, 'the events');
    const { lag, gaps, watched } = service.stats().events;
    assert.deepStrictEqual([watched, gaps, lag.count, lag.sum], [2, 0, 0, 0]);
  });
});
