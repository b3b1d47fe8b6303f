'use strict';

/**
 * How many members a write changed, which promises tell and 0.0.7's callbacks do not; addMany and leaveMany, which write members
 * on several frontends. c-model.test.js compares them with a model.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { invoke, call, ok } = require('../support/call');
const { started, stopAll } = require('../support/service');
const { recordingManager, startedWith } = require('../support/manager');
const { stores, ours } = require('../support/rows');

const INVALID_ARGUMENT = 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT';
const at = (uid, sid) => ({ uid, sid });

stores('C changed members', (ctx) => {
  ours('promises of add and leave tell how many members changed', async () => {
    const { promises } = await started(ctx.store);
    assert.strictEqual(await promises.add('n', ['a', 'b', 'a'], 's1'), 2);
    assert.strictEqual(await promises.add('n', ['a', 'c'], 's1'), 1);
    assert.strictEqual(await promises.add('n', 'a', 's1'), 0);
    assert.strictEqual(await promises.add('n', [], 's1'), 0);
    assert.strictEqual(await promises.add(['n', 'm'], ['a', 'd'], 's1'), 3);
    assert.strictEqual(await promises.leave(['n', 'm', 'o'], ['a', 'x'], 's1'), 2);
    assert.strictEqual(await promises.leave('n', 'nobody', 's1'), 0);
    assert.strictEqual(await promises.destroyChannel('n'), undefined);
    assert.strictEqual(await promises.clean(), undefined);
  });

  ours("the callbacks of 0.0.7's methods keep their number of arguments", async () => {
    const service = await started(ctx.store);
    const made = [];
    for (const uids of ['a', ['b', 'c'], [], 'a']) {
      made.push(
        invoke(service, 'add', 'n', uids, 's1').done,
        service.promises.add('m', uids, 's1'),
      );
      made.push(invoke(service, 'leave', 'n', uids, 's1').done);
    }
    const answers = await Promise.all(made);
    const args = answers.map((each) => (typeof each === 'object' ? each.args : each));
    const of = (count) => [[null], count, [null]];
    assert.deepStrictEqual(args, [...of(1), ...of(2), ...of(0), ...of(0)]);
  });

  ours('a callback that is a Proxy, or is marked in some way, gets no count', async () => {
    const service = await started(ctx.store);
    const calls = [];
    const get = () => {
      throw new Error('from a trap');
    };
    service.add('n', 'a', 's1', new Proxy((...args) => calls.push(args), { get }));
    service.add(
      'n',
      'b',
      's1',
      Object.assign((...args) => calls.push(args), { counted: true }),
    );
    await ok(service, 'add', 'n', 'c', 's1');
    assert.deepStrictEqual(calls, [[null], [null]]);
  });

  ours('addMany and leaveMany write each member on its frontend, and tell the sum', async () => {
    const service = await started(ctx.store);
    const many = [at('a', 's1'), at(7, 's2'), at(Buffer.from('b'), 's1'), at('a', 's1')];
    assert.deepStrictEqual((await call(service, 'addMany', 'n', many)).args, [null, 3]);
    assert.strictEqual(await service.promises.addMany('n', [at('a', 's1'), at('a', 's3')]), 1);
    const lists = await ok(service, 'getMembersByChannelNameBySid', 'connector', 'n');
    Object.values(lists).forEach((list) => list.sort());
    assert.deepStrictEqual(lists, { s1: ['a', 'b'], s2: ['7'], s3: ['a'] });
    assert.deepStrictEqual((await call(service, 'leaveMany', 'n', many)).args, [null, 3]);
    assert.strictEqual(await service.promises.leaveMany('n', many), 0);
    assert.strictEqual(await ok(service, 'getCount', 'n', 'connector'), 1);
    const { addMany, leaveMany } = service.stats().commands;
    assert.deepStrictEqual([addMany, leaveMany], [2, 2]);
  });

  ours('no members: the answer is 0, in call order; no callback is fine', async () => {
    const service = await started(ctx.store);
    const order = [];
    service.add('n', 'u', 's1', () => order.push('add'));
    service.addMany('n', [at('v', 's2')]);
    const { args, sync } = await call(service, 'addMany', 'n', []);
    assert.deepStrictEqual([args, sync, order], [[null, 0], false, ['add']]);
    assert.strictEqual(await ok(service, 'getCount', 'n', 'connector'), 2);
  });

  ours('all of one tick: in call order, each callback once', async () => {
    const service = await started(ctx.store);
    const records = [];
    const many = ['s1', 's2', 's3'].map((sid) => at('u', sid));
    for (let i = 0; i < 200; i += 1) {
      records.push(invoke(service, i % 2 === 0 ? 'addMany' : 'leaveMany', 'n', many));
      records.push(invoke(service, 'getCount', 'n', 'connector'));
    }
    const order = [];
    records.forEach((record, i) => record.done.then(() => order.push(i)));
    const values = [];
    for (const { done } of records) values.push((await done).value);
    const expected = records.map((_, i) => [3, 3, 3, 0][i % 4]);
    assert.deepStrictEqual(values, expected);
    assert.deepStrictEqual(
      order,
      records.map((_, i) => i),
    );
    assert.ok(records.every(({ n }) => n === 1));
  });

  ours('members that are not accepted: refused by index, and nothing is written', async () => {
    const service = await started(ctx.store);
    const good = at('u', 's1');
    for (const [members, pattern] of [
      [undefined, /^argument members is undefined; accepted is an array of \{uid, sid\}/],
      [good, /^argument members is an object/],
      ['u', /^argument members is /],
      [[good, null], /^argument members\[1\] is null/],
      [[good, 'u'], /^argument members\[1\] is /],
      [[good, at(null, 's1')], /^argument members\[1\]\.uid is null/],
      [[good, at(['u'], 's1')], /^argument members\[1\]\.uid is an object/],
      [[good, at('u')], /^argument members\[1\]\.sid is undefined/],
      [Object.assign([], { length: 4e9 }), /^argument members\[0\] is undefined/],
    ]) {
      for (const method of ['addMany', 'leaveMany']) {
        const { err, argc, sync, value } = await call(service, method, 'n', members);
        assert.deepStrictEqual(
          [err.code, argc, sync, value],
          [INVALID_ARGUMENT, 2, true, undefined],
        );
        assert.match(err.message, pattern);
      }
    }
    const named = await call(service, 'addMany', null, [good]);
    assert.match(named.err.message, /^argument name is null/);
    const bad = new Error('from a getter');
    const getter = {
      get uid() {
        throw bad;
      },
    };
    assert.throws(() => service.addMany('n', [good, getter], () => {}), bad);
    assert.strictEqual(await ok(service, 'getCount', 'n', 'connector'), 0);
  });

  ours('maxQueue counts each frontend', async () => {
    const service = await started(ctx.store, { maxQueue: 3 });
    const many = ['s1', 's2', 's3', 's4'].map((sid) => at('u', sid));
    const refused = await call(service, 'addMany', 'n', many);
    assert.strictEqual(refused.err.code, 'ERR_GLOBAL_CHANNEL_QUEUE_FULL');
    assert.strictEqual(await ok(service, 'getCount', 'n', 'connector'), 0);
    assert.strictEqual(await ok(service, 'addMany', 'n', many.slice(1)), 3);
  });

  ours('a stop while they are unanswered: each callback once', async () => {
    const service = await started(ctx.store);
    const many = ['s1', 's2'].map((sid) => at('u', sid));
    const records = Array.from({ length: 50 }, () => invoke(service, 'addMany', 'n', many));
    await call(service, 'stop', true);
    const answers = await Promise.all(records.map(({ done }) => done));
    for (const { err, value, n } of answers) {
      assert.strictEqual(n, 1);
      assert.ok(err ? err.code === 'ERR_GLOBAL_CHANNEL_STOPPED' : value <= 2);
    }
  });

  ours.redis('one command for each frontend; the first error is the answer, once', async () => {
    const service = await started(ctx.store, { cache: false });
    const monitor = await ctx.redis.monitor();
    await ok(service, 'addMany', 'n', [at('a', 's1'), at('b', 's2'), at('c', 's1')]);
    const commands = (await monitor.commands()).map((words) => words.slice(1).join(' '));
    assert.deepStrictEqual(commands, [
      'SADD POMELO:CHANNEL:n:s1 a c',
      'SADD POMELO:CHANNEL:n:s2 b',
    ]);
    await ctx.redis.run(0, 'set', 'POMELO:CHANNEL:m:s2', 'x');
    const many = ['s1', 's2', 's3'].map((sid) => at('u', sid));
    const { err, argc, value, n } = await call(service, 'addMany', 'm', many);
    assert.match(err.message, /^WRONGTYPE /);
    assert.deepStrictEqual([argc, value, n], [2, undefined, 1]);
    assert.strictEqual(await ok(service, 'getCountBySid', 'm', 's3'), 1);
  });
});

describe('C changed members of custom managers', () => {
  afterEach(stopAll);

  ours('a manager that has addMany and leaveMany is asked', async () => {
    const manager = recordingManager();
    manager.addMany = (name, members, cb) => cb(null, members.length);
    const service = await startedWith(manager);
    const answer = await call(service, 'addMany', 'n', [at('a', 's1'), at('b', 's2')]);
    assert.deepStrictEqual(answer.args, [null, 2]);
  });

  ours('one that has not: an error that names the method', async () => {
    const service = await startedWith(recordingManager());
    const { err, argc, value, n } = await call(service, 'leaveMany', 'n', [at('a', 's1')]);
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNSUPPORTED');
    assert.strictEqual(err.message, 'channelManager has no method leaveMany');
    assert.deepStrictEqual([argc, value, n], [2, undefined, 1]);
    assert.strictEqual(service.stats().errors.ERR_GLOBAL_CHANNEL_UNSUPPORTED, 1);
  });

  ours('promises of add resolve to what the manager answers', async () => {
    const manager = recordingManager();
    const service = await startedWith(manager);
    assert.strictEqual(await service.promises.add('n', 'u', 's1'), undefined);
    manager.add = (name, uid, sid, cb) => cb(null, 1);
    assert.strictEqual(await service.promises.add('n', 'u', 's1'), 1);
  });
});
