'use strict';

/**
 * What the app throws where the addon calls or reads it: an error that is among its own causes, something whose `toString`
 * throws, and the end of the stack. napi-rs's conversion of these does not end, so that each would end the process.
 */

const assert = require('node:assert');
const { spawnSync } = require('child_process');
const { createApp } = require('./support/app');
const { call, ok } = require('./support/call');
const { create, started } = require('./support/service');
const { stores, ours } = require('./support/rows');

const cyclic = () => {
  const err = new Error('first');
  err.cause = new Error('second', { cause: err });
  return err;
};

const unprintable = () => {
  const it = {
    toString() {
      throw it;
    },
  };
  return it;
};

const getter = (name, thrown) =>
  Object.defineProperty({}, name, {
    enumerable: true,
    get() {
      throw thrown;
    },
  });

/** Where the app's code runs: calls that meet it, given what it throws. */
const PLACES = {
  'app.getServersByType': (service, app, thrown) => {
    app.getServersByType = () => {
      throw thrown;
    };
    return call(service, 'getMembersByChannelName', 'connector', 'n').finally(() => {
      delete app.getServersByType;
    });
  },
  'an option of a push': (service, app, thrown) =>
    call(service, 'pushMessage', 'connector', 'r', {}, 'n', getter('except', thrown)),
  'a uid of addMany': (service, app, thrown) =>
    call(service, 'addMany', 'n', [getter('uid', thrown)]),
  'a limit of a page': (service, app, thrown) =>
    call(service, 'getMembersPage', 'n', 's1', getter('limit', thrown)),
  'a uid in an array': (service, app, thrown) => {
    const uids = new Proxy(['u'], {
      get(target, key) {
        if (key === '0') throw thrown;
        return target[key];
      },
    });
    return call(service, 'add', 'n', uids, 's1');
  },
};

/** A service that is not started refuses each call at once. */
const ENDLESS = `
  const { create } = require(process.argv[1] + '/support/service');
  const service = create({ host: '127.0.0.1', port: 1 });
  process.on('uncaughtException', (err) => console.log(err.name));
  const again = () => service.add('n', 'u', 's1', again);
  again();
  setTimeout(() => console.log('alive'), 100);
`;

stores('what the app throws', (ctx) => {
  for (const [place, meet] of Object.entries(PLACES)) {
    ours(`${place}: the caller gets it, and the next call works`, async () => {
      const app = createApp();
      const service = await started(ctx.store, {}, app);
      for (const thrown of [cyclic(), unprintable()]) {
        const answer = await meet(service, app, thrown).catch((err) => ({ err }));
        assert.ok(answer.err, 'an error');
        await ok(service, 'add', 'n', 'u', 's1');
      }
    });
  }

  ours('an option of the constructor: it is thrown', () => {
    const thrown = cyclic();
    assert.throws(
      () => create(getter('prefix', thrown)),
      (err) => err === thrown,
    );
  });

  ours('a refused call that its callback repeats: the process goes on', () => {
    const done = spawnSync(process.execPath, ['-e', ENDLESS, __dirname], { encoding: 'utf8' });
    assert.strictEqual(done.stdout, 'RangeError\nalive\n', done.stderr);
  });
});
