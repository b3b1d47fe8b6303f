'use strict';

/** The events of a channel as the inspector sends them (`inspect --events`), on each store. */

const assert = require('node:assert');
const { once } = require('node:events');
const net = require('node:net');
const addressOf = require('../support/address');
const { area, ours, stores } = require('../support/rows');
const { ok } = require('../support/call');
const { Inspector } = require('../support/inspector');
const { started } = require('../support/service');
const { until } = require('../support/until');

const EVENTS = { events: true };

/** For a machine that is busy. */
const PATIENCE = 30000;

/** Has `work(inspector)` run with an inspector, which is ended then. */
async function inspecting(store, args, work) {
  const inspector = await Inspector.start(addressOf(store), ...args);
  try {
    return await work(inspector);
  } finally {
    await inspector.stop();
  }
}

const begun = (stream) => until(() => stream.events.length > 0, 'the first gap');

stores('live events of the inspector', (ctx) => {
  ours('joins and leaves of the channel, with who and where', async () => {
    const service = await started(ctx.store, EVENTS);
    await ok(service, 'add', 'other', 'x', 's1');
    await inspecting(ctx.store, ['--events'], async (inspector) => {
      assert.strictEqual((await inspector.ask('about')).told.live, true);
      const stream = await inspector.watch('room');
      await begun(stream);
      await ok(service, 'add', 'other', 'y', 's1');
      await ok(service, 'add', 'room', ['ann', 'bob'], 's1');
      await ok(service, 'leave', 'room', 'ann', 's1');
      await ok(service, 'destroyChannel', 'room');
      await until(() => stream.events.some(({ event }) => event === 'destroy'), 'the last event');
      const at = { sid: 's1', reason: 'call' };
      assert.deepStrictEqual(stream.events.slice(0, 5), [
        { event: 'gap', reason: 'start' },
        { event: 'occupied', ...at },
        { event: 'join', ...at, uids: ['ann', 'bob'], count: 2 },
        { event: 'leave', ...at, uids: ['ann'], count: 1 },
        { event: 'destroy', sid: 's1', reason: 'destroy', count: 1 },
      ]);
      stream.close();
    });
  });

  ours('of an event about many users some are sent, and their number', async () => {
    const service = await started(ctx.store, EVENTS);
    await ok(service, 'add', 'other', 'x', 's1');
    await inspecting(ctx.store, ['--events'], async (inspector) => {
      const stream = await inspector.watch('room');
      await begun(stream);
      const uids = Array.from({ length: 300 }, (_, i) => `user-${i}`);
      await ok(service, 'add', 'room', uids, 's1');
      const joined = () => stream.events.find(({ event }) => event === 'join');
      await until(joined, 'the join');
      assert.deepStrictEqual([joined().uids.length, joined().count], [50, 300]);
      stream.close();
    });
  });

  ours('not without --events', async () => {
    const service = await started(ctx.store, EVENTS);
    await ok(service, 'add', 'other', 'x', 's1');
    await inspecting(ctx.store, [], async (inspector) => {
      assert.strictEqual((await inspector.ask('about')).told.live, false);
      const { status, told } = await inspector.ask('events', { name: 'room' });
      assert.deepStrictEqual([status, told], [409, { error: 'started without --events' }]);
    });
  });
});

area('streams of the inspector', {}, (ctx) => {
  ours('eight at a time; one that the page has closed makes room', async () => {
    await inspecting(ctx.store, ['--events'], async (inspector) => {
      const names = Array.from({ length: 8 }, (_, i) => `room-${i}`);
      const open = await Promise.all(names.map((name) => inspector.watch(name)));
      await Promise.all(open.map(begun));
      const refused = await inspector.watch('one more');
      assert.strictEqual(refused.status, 503);
      open[0].close();
      await until(async () => {
        const stream = await inspector.watch('one more');
        if (stream.status !== 200) return false;
        open.push(stream);
        return true;
      }, 'room for one more');
      for (const stream of open) stream.close();
    });
  });

  ours('those of requests in one write end with their connection', async () => {
    await inspecting(ctx.store, ['--events'], async (inspector) => {
      const subscribed = async () =>
        (await ctx.redis.clients()).some(({ sub, psub }) => Number(sub) + Number(psub) > 0);
      for (let i = 0; i < 3; i += 1) {
        const socket = net.connect(inspector.port, '127.0.0.1');
        await once(socket, 'connect');
        const names = ['a', 'b', 'c', 'd'];
        const path = (name) => `${inspector.path}api/events?name=${name}`;
        const host = `Host: ${inspector.host}`;
        socket.write(names.map((name) => `GET ${path(name)} HTTP/1.1\r\n${host}\r\n\r\n`).join(''));
        await once(socket, 'data');
        socket.destroy();
        await until(async () => !(await subscribed()), 'the end of the subscription');
      }
      const names = Array.from({ length: 8 }, (_, i) => `room-${i}`);
      const open = await Promise.all(names.map((name) => inspector.watch(name)));
      assert.deepStrictEqual(
        open.map(({ status }) => status),
        names.map(() => 200),
      );
      for (const stream of open) stream.close();
    });
  });

  ours('the subscription ends with the last page that watches', async () => {
    const subscriptions = async () =>
      (await ctx.redis.clients()).filter(({ sub, psub }) => Number(sub) + Number(psub) > 0).length;
    await inspecting(ctx.store, ['--events'], async (inspector) => {
      assert.strictEqual(await subscriptions(), 0, 'none without a watch');
      const streams = [await inspector.watch('a'), await inspector.watch('b')];
      await Promise.all(streams.map(begun));
      assert.strictEqual(await subscriptions(), 1);
      for (const stream of streams) stream.close();
      await until(async () => (await subscriptions()) === 0, 'the end of the subscription');
    });
  });

  ours('end with the inspector', async () => {
    const inspector = await Inspector.start(addressOf(ctx.store), '--events');
    const stream = await inspector.watch('room');
    await begun(stream);
    const { code, stderr } = await inspector.stop();
    assert.deepStrictEqual([code, stderr], [0, '']);
    await until(() => stream.hasEnded, 'the end of the stream');
  });

  const slow = async () => {
    const service = await started(ctx.store, EVENTS);
    await inspecting(ctx.store, ['--events'], async (inspector) => {
      const [stream, other] = [await inspector.watch('room'), await inspector.watch('room')];
      await Promise.all([stream, other].map(begun));
      stream.pause();
      // More than the buffers of the sockets hold: 16 MB. The other page has read each event before the next one, so the
      // inspector itself drops none.
      const uid = (i, j) => `${i}-${j}-`.padEnd(4000, 'x');
      for (let i = 0; i < 40; i += 1) {
        const uids = Array.from({ length: 50 }, (_, j) => uid(i, j));
        await ok(service, 'add', 'room', uids, 's1');
        await ok(service, 'leave', 'room', uids, 's1');
        const left = () => other.events.filter(({ event }) => event === 'leave').length;
        await until(() => left() > i, 'the other page to read', PATIENCE);
      }
      stream.resume();
      const told = () => stream.events.some(({ reason }) => reason === 'slow page');
      await until(told, 'the gap', PATIENCE);
      // One may be dropped too, with a further gap, as long as it has not read the events before.
      let tries = 0;
      const arrives = async () => {
        tries += 1;
        await ok(service, 'add', 'room', `later ${tries}`, 's1');
        const isLater = ({ event, uids }) => event === 'join' && uids[0].startsWith('later');
        return stream.events.some(isLater);
      };
      await until(arrives, 'an event after it', PATIENCE);
      const gaps = other.events.filter(({ event }) => event === 'gap');
      assert.deepStrictEqual(gaps, [{ event: 'gap', reason: 'start' }]);
      stream.close();
      other.close();
    });
  };
  ours('a page that does not read loses events, and is told so when it reads', slow, {
    timeout: 3 * PATIENCE,
  });
});
