'use strict';

/**
 * Mistakes of an app that 0.0.7 hides: a server id that is no frontend, a server type that is none, an argument that
 * was left out. An error or a warning tells of each.
 */

const assert = require('node:assert');
const { createApp } = require('../support/app');
const { call, ok, eachMethod } = require('../support/call');
const { logged } = require('../support/log');
const { recordingManager } = require('../support/manager');
const { create, optionsOf, started } = require('../support/service');
const { nothingFor, until } = require('../support/until');
const { stores, ours } = require('../support/rows');

const CODE = 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT';
const IDS = ['name', 'uid', 'uids', 'members', 'sid', 'serverType', 'channelName'];
const MARK = 'mark';

stores('C mistakes', (ctx) => {
  /** What was warned of while `fn(service, app)` ran; the id MARK, which is no frontend, shows that all was looked at. */
  async function warnings(fn, { app = createApp(), opts } = {}) {
    const service = await started(ctx.store, opts, app);
    const isWarning = (line) => line.includes('no frontend');
    const lines = await logged(async (seen) => {
      await fn(service, app);
      await ok(service, 'getMembersBySid', 'n', MARK);
      await until(() => seen.some((line) => line.includes(`"${MARK}"`)), 'the last warning');
    });
    return lines.filter((line) => isWarning(line) && !line.includes(`"${MARK}"`));
  }

  ours('a sid that is no frontend: one warning for each, whatever the method', async () => {
    const lines = await warnings(async (service) => {
      for (const sid of ['backend-1', 'typo', 's1', 's2']) {
        for (let i = 0; i < 3; i += 1) {
          await ok(service, 'add', 'n', 'u', sid);
          await ok(service, 'getMembersBySid', 'n', sid);
          await ok(service, 'getCountBySid', 'n', sid);
          await ok(service, 'leave', 'n', ['u'], sid);
        }
      }
    });
    assert.strictEqual(lines.length, 2);
    assert.match(lines[0], /sid "backend-1" is a server of type chat, no frontend/);
    assert.match(lines[1], /sid "typo" is no server of this app, no frontend/);
  });

  ours('such a sid as an object, and with an array of uids', async () => {
    const lines = await warnings(async (service) => {
      await ok(service, 'add', 'n', ['a', 'b'], 'one');
      await ok(service, 'add', 'n', 'u', { toString: () => 'two' });
      await ok(service, 'getMembersBySid', 'n', { toString: () => 'three' });
    });
    assert.strictEqual(lines.length, 3);
  });

  ours('the same with a custom manager', async () => {
    const opts = { channelManager: recordingManager() };
    const app = createApp();
    const service = create(opts, app);
    await ok(service, 'start');
    const lines = await logged(async (seen) => {
      for (const sid of ['s1', 'typo', 'typo', { toString: () => 'typo' }]) {
        await ok(service, 'add', 'n', 'u', sid);
      }
      await until(() => seen.length > 0, 'the warning');
    });
    assert.strictEqual(lines.length, 1);
    assert.match(lines[0], /"typo"/);
  });

  ours('no warning of frontends that come soon, or that were there before', async () => {
    const lines = await warnings(async (service, app) => {
      await ok(service, 'add', 'n', 'u', 's1');
      app.removeServer('s2');
      await ok(service, 'leave', 'n', 'u', 's2');
      await ok(service, 'add', 'n', 'u', 'late');
      app.addServer({ id: 'late', serverType: 'connector', frontend: 'true' });
    });
    assert.deepStrictEqual(lines, []);
  });

  ours('no warning, and no error, where the app cannot say which servers there are', async () => {
    const fails = () => {
      throw new Error('not today');
    };
    const broken = [
      { getServers: fails },
      { getServers: () => undefined },
      { getServers: () => ({}) },
      { isFrontend: undefined },
      { isFrontend: () => false },
    ];
    for (const methods of broken) {
      const real = createApp();
      const app = createApp();
      const lines = await warnings(
        async (service) => {
          Object.assign(app, methods);
          const { getServers } = app;
          let asked = 0;
          app.getServers = () => {
            asked += 1;
            return getServers();
          };
          await ok(service, 'add', 'n', 'u', 'typo');
          await until(() => asked === 2, 'the second look');
          Object.assign(app, { getServers: real.getServers, isFrontend: real.isFrontend });
        },
        { app },
      );
      assert.deepStrictEqual(lines, []);
    }
  });

  ours('a warning is one short line, whatever the id', async () => {
    const lines = await warnings(async (service) => {
      await ok(service, 'add', 'n', 'u', `a\nb${'x'.repeat(200)}`);
      await ok(service, 'add', 'n', 'u', '__proto__');
      await ok(service, 'add', 'n', 'u', 'constructor');
    });
    assert.strictEqual(lines.length, 3);
    assert.match(lines[0], /sid "a\\nbx{90,97}…" is no server/);
  });

  ours('a warning does not keep the process alive, nor comes after a stop', async () => {
    const service = await started(ctx.store);
    const lines = await logged(async () => {
      await ok(service, 'add', 'n', 'u', 'typo');
      await call(service, 'stop', true);
      await nothingFor(1500);
    });
    assert.deepStrictEqual(lines, []);
  });

  ours('where options are left out, the last function is the callback', async () => {
    const service = await started(ctx.store);
    const wrong = () => assert.fail('it was taken for the callback');
    for (const [method, ...args] of [
      ['destroyChannel', wrong],
      ['pushMessage', 'connector', 'r', {}, wrong],
      ['pushMessageByUids', 'connector', 'r', {}, wrong],
      ['scanMembers', wrong, 's1'],
    ]) {
      const { err, sync, n } = await call(service, method, ...args);
      assert.deepStrictEqual([err?.code, sync, n], [CODE, true, 1], method);
    }
  });

  ours(
    'a server type that is no text is refused by name; one that is unknown has no servers',
    async () => {
      const service = await started(ctx.store);
      for (const wrong of [undefined, null, {}, [], Symbol('s'), NaN]) {
        for (const [method, ...args] of [
          ['getMembersByChannelName', wrong, 'n'],
          ['pushMessage', wrong, 'r', {}, 'n', {}],
          ['pushMessageByUids', wrong, 'r', {}, ['u'], { sid: 's1' }],
          ['broadcast', wrong, 'r', {}, {}],
          ['getCount', 'n', wrong],
          ['getMembersByChannelNameBySid', wrong, 'n'],
        ]) {
          // All frontends.
          if (method === 'getCount' && wrong === null) continue;
          const { err, sync, n } = await call(service, method, ...args);
          assert.deepStrictEqual([err?.code, sync, n], [CODE, true, 1]);
          assert.match(err.message, /^argument serverType is /);
        }
      }
      for (const type of ['unknown', '', 7, false]) {
        assert.deepStrictEqual(await ok(service, 'getMembersByChannelName', type, 'n'), []);
      }
    },
  );

  for (const [title, opts] of [
    ['', {}],
    [' (custom manager)', { channelManager: recordingManager() }],
  ]) {
    ours(`a callback in the place of an id gets the error${title}`, async () => {
      const service = await started(ctx.store, opts);
      await eachMethod(async (method, args) => {
        const { arguments: names } = require('../../lib/tables').methods[method];
        for (const [i, name] of names.entries()) {
          if (!IDS.includes(name)) continue;
          // An argument left out, and all later ones.
          for (const given of [args.slice(0, i), [...args.slice(0, i), ...args.slice(i + 1)]]) {
            const callbackAt = given.length;
            if (!IDS.includes(names[callbackAt])) continue;
            const { err, sync, n } = await call(service, method, ...given);
            assert.deepStrictEqual([err?.code, sync, n], [CODE, true, 1], `${method} ${name}`);
            assert.match(err.message, new RegExp(`^argument ${names[callbackAt]} is a function`));
          }
        }
      });
    });
  }

  ours('… in pushMessage also in the place of route or msg', async () => {
    const service = await started(ctx.store);
    for (const args of [['connector'], ['connector', 'r'], ['connector', 'r', {}], []]) {
      const { err, n } = await call(service, 'pushMessage', ...args);
      assert.deepStrictEqual([err?.code, n], [CODE, 1]);
    }
    // A message that is a function is none of our business, as long as nothing is missing.
    const message = () => assert.fail('it is the message');
    service.pushMessage('connector', 'r', message, 'n');
    assert.deepStrictEqual(
      await ok(service, 'pushMessage', 'connector', 'r', message, 'n', {}),
      [],
    );
  });

  ours(
    '… before start it gets invalid state; beside a callback a function is just refused',
    async () => {
      const service = create(optionsOf(ctx.store));
      const early = await call(service, 'add', 'n', 'u');
      assert.deepStrictEqual([early.err?.message, early.n], ['invalid state', 1]);
      await ok(service, 'start');
      const other = () => assert.fail('it is no callback');
      const { err, n } = await call(service, 'add', 'n', other, 's1');
      assert.deepStrictEqual([err?.code, n], [CODE, 1]);
    },
  );
});
