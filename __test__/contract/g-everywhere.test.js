'use strict';

/** `null` and `{everywhere: true}` with custom managers: of those with the field `everywhere: true`, and of others. */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { call, ok } = require('../support/call');
const { recordingManager, startedWith } = require('../support/manager');
const { ours } = require('../support/rows');
const { stopAll } = require('../support/service');

const UNSUPPORTED = 'ERR_GLOBAL_CHANNEL_UNSUPPORTED';
const EVERYWHERE = { everywhere: true };

describe('C everywhere: custom managers', () => {
  afterEach(stopAll);

  /** The four calls on all frontends. */
  const CALLS = [
    ['getCount', 'n', null],
    ['isMember', 'n', 'u', null],
    ['leave', 'n', 'u', null],
    ['destroyChannel', 'n', EVERYWHERE],
  ];

  /** A manager with all of these methods, and with these fields. */
  function managerWith(fields) {
    const manager = { ...recordingManager(), ...fields };
    for (const [method, answer] of Object.entries({ getCount: 7, isMember: true })) {
      manager[method] = (...args) => {
        manager.log.push([method, ...args.slice(0, -1)]);
        args.pop()(null, answer);
      };
    }
    return manager;
  }

  ours('a manager with everywhere: true gets null, and options of destroyChannel', async () => {
    const manager = managerWith({ everywhere: true });
    const service = await startedWith(manager);
    const answers = [];
    for (const args of CALLS) answers.push((await call(service, ...args)).args);
    assert.deepStrictEqual(answers, [[null, 7], [null, true], [null], [null]]);
    await ok(service, 'leave', ['n', 'm'], ['u', 'v'], null);
    await ok(service, 'destroyChannel', ['n', 'm'], EVERYWHERE);
    await ok(service, 'destroyChannel', 'n');
    await ok(service, 'destroyChannel', ['n'], { everywhere: false });
    assert.deepStrictEqual(manager.log.slice(1), [
      ['getCount', 'n', null],
      ['isMember', 'n', 'u', null],
      ['leave', 'n', 'u', null, 'function'],
      ['destroyChannel', 'n', EVERYWHERE, 'function'],
      ['leave', 'n', ['u', 'v'], null, 'function'],
      ['leave', 'm', ['u', 'v'], null, 'function'],
      ['destroyChannel', 'n', EVERYWHERE, 'function'],
      ['destroyChannel', 'm', EVERYWHERE, 'function'],
      ['destroyChannel', 'n', { everywhere: false }, 'function'],
      ['destroyChannel', 'n', { everywhere: false }, 'function'],
    ]);
  });

  ours('a manager that answers by promises declares no callback', async () => {
    const seen = [];
    const service = await startedWith({
      everywhere: true,
      add: async () => {},
      getMembersBySid: async () => [],
      leave: async (name, uid, sid) => seen.push([name, uid, sid]),
      destroyChannel: async (name, opts) => {
        seen.push([name, opts]);
      },
    });
    await ok(service, 'leave', 'n', 'u', null);
    await ok(service, 'destroyChannel', 'n');
    await ok(service, 'destroyChannel', 'n', EVERYWHERE);
    assert.deepStrictEqual(seen, [
      ['n', 'u', null],
      ['n', { everywhere: false }],
      ['n', EVERYWHERE],
    ]);
  });

  for (const everywhere of [undefined, false, 'yes']) {
    ours(`a manager with everywhere: ${everywhere} is not called for all frontends`, async () => {
      const manager = managerWith({ everywhere });
      const service = await startedWith(manager);
      manager.log.length = 0;
      for (const [method, ...args] of CALLS) {
        const { err, argc } = await call(service, method, ...args);
        assert.strictEqual(err && err.code, UNSUPPORTED, method);
        assert.match(err.message, new RegExp(`everywhere: true.* ${method} on all frontends`));
        assert.strictEqual(argc, ['getCount', 'isMember'].includes(method) ? 2 : 1, method);
      }
      assert.deepStrictEqual(manager.log, []);
      // Their other calls are those of 0.0.7.
      await ok(service, 'destroyChannel', 'n', { everywhere: false });
      await ok(service, 'add', 'n', 'u', null);
      assert.deepStrictEqual(manager.log, [
        ['destroyChannel', 'n', 'function'],
        ['add', 'n', 'u', null, 'function'],
      ]);
    });
  }

  ours('where such a manager lacks a method the error names it', async () => {
    const service = await startedWith({ ...recordingManager(), everywhere: true });
    for (const [method, ...args] of CALLS.slice(0, 2)) {
      const { err } = await call(service, method, ...args);
      assert.strictEqual(err && err.code, UNSUPPORTED, method);
      assert.strictEqual(err.message, `channelManager has no method ${method}`);
    }
  });
});
