'use strict';

/**
 * `channel.channel(name)`: the methods that take a channel's name, without it. That each is there is read from the table of
 * methods; what they do is tested with the service's own.
 */

const assert = require('node:assert');
const fs = require('fs');
const path = require('path');
const { createApp, answering } = require('./support/app');
const { call } = require('./support/call');
const { create, started, ROOTS } = require('./support/service');
const { stores, ours, IMPL } = require('./support/rows');

const { methods } = IMPL === 'old' ? { methods: {} } : require('../lib/tables');

/** The methods with a name, and the arguments that are left. */
const NAMED = Object.entries(methods)
  .map(([method, { arguments: names }]) => [
    method,
    names,
    names.filter((name) => name !== 'name' && name !== 'channelName'),
  ])
  .filter(([, names, left]) => left.length < names.length);

stores('channel(name)', (ctx) => {
  ours('it has all methods that take a name, in callbacks and promises', async () => {
    const room = create(ctx.store.options()).channel('room');
    assert.ok(NAMED.length >= 7);
    for (const [method, names] of NAMED) {
      assert.deepStrictEqual([room[method].name, room[method].length], [method, names.length]);
      assert.strictEqual(typeof room.promises[method], 'function', method);
    }
    assert.strictEqual(room.clean, undefined);
    assert.deepStrictEqual(Object.keys(room), ['name']);
    assert.strictEqual(room.name, 'room');
  });

  ours('the types have the same methods', () => {
    const text = fs.readFileSync(path.join(ROOTS.ours, 'index.d.ts'), 'utf8');
    for (const name of ['Channel', 'ChannelPromises']) {
      const [, body] = new RegExp(`^export interface ${name} \\{\\n([^]*?)^\\}`, 'm').exec(text);
      const typed = new Set(Array.from(body.matchAll(/^ {2}(\w+)\(/gm), ([, method]) => method));
      assert.deepStrictEqual([...typed].sort(), NAMED.map(([method]) => method).sort());
    }
  });

  ours('each method passes its arguments on, with the name in its place', () => {
    const service = create(ctx.store.options());
    const given = [];
    for (const [method, names, left] of NAMED) {
      const pass = (...args) => given.push([method, args]);
      Object.defineProperty(service, method, { value: pass, configurable: true });
      const callback = () => {};
      service.channel('room')[method](...left, callback);
      const expected = names.map((name) => (left.includes(name) ? name : 'room'));
      assert.deepStrictEqual(given.pop(), [method, [...expected, callback]]);
    }
  });

  ours('it adds, lists, counts, pushes and removes', async () => {
    const app = createApp({ rpc: answering({ s1: ['failed'] }) });
    const service = await started(ctx.store, {}, app);
    const room = service.channel('room');
    const done = (method, ...args) =>
      call(room, method, ...args).then(({ err, value }) => [err, value]);
    assert.deepStrictEqual(await done('add', ['u', 'v'], 's1'), [null, undefined]);
    assert.deepStrictEqual(await done('leave', 'v', 's1'), [null, undefined]);
    assert.deepStrictEqual(await done('getMembersBySid', 's1'), [null, ['u']]);
    assert.deepStrictEqual(await done('getCountBySid', 's1'), [null, 1]);
    assert.deepStrictEqual(await done('getMembersByChannelName', 'connector'), [null, ['u']]);
    assert.deepStrictEqual(await done('pushMessage', 'connector', 'r', {}), [null, ['failed']]);
    const opts = { filter: 'x' };
    assert.deepStrictEqual(await room.promises.pushMessage('connector', 'r', {}, opts), ['failed']);
    const userOptions = app.rpcCalls.map(({ msg }) => msg.args[3].userOptions);
    assert.deepStrictEqual(userOptions, [{}, opts]);
    assert.deepStrictEqual(await service.promises.getMembersBySid('room', 's1'), ['u']);
    assert.deepStrictEqual(await done('destroyChannel'), [null, undefined]);
    assert.deepStrictEqual(await room.promises.getMembersBySid('s1'), []);
  });

  ours('arguments that are left out are errors, as for the service', async () => {
    const room = (await started(ctx.store)).channel('room');
    await assert.rejects(room.promises.add(), { code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT' });
    const nameless = (await started(ctx.store)).channel();
    await assert.rejects(nameless.promises.add('u', 's1'), /argument name is undefined/);
  });
});
