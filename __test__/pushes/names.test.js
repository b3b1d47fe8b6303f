'use strict';

/**
 * The names and options of pushes to several channels, which JavaScript reads for the addon (`prepare` in lib/recipients.js):
 * plain names as one string, all others one by one.
 */

const assert = require('node:assert');
const { createApp, pushed } = require('../support/app');
const { call, invoke, ok } = require('../support/call');
const { stores, ours } = require('../support/rows');
const { started } = require('../support/service');

/** Names that could be taken for something else where several are put into one string. */
const NAMES = ['a', 'a\0b', '\0', 'b', '\n', 'a\n', 'ü', '🎮', 'x'.repeat(5000)];

stores('H names of several channels', (ctx) => {
  let app;
  let service;

  async function start() {
    app = createApp();
    service = await started(ctx.store, {}, app);
  }

  /** Pushes, and returns the users of the first frontend who were sent it, sorted. */
  async function users(names, opts) {
    app.rpcCalls.length = 0;
    await ok(service, 'pushMessage', 'connector', 'r', {}, names, opts);
    const [[sid, uids] = ['s1', []]] = pushed(app);
    assert.strictEqual(sid, 's1');
    return [...uids].sort();
  }

  ours('H50 each name is its own channel, whatever characters it has', async () => {
    await start();
    const long =
      ctx.store.options().store === 'embedded' ? NAMES.filter((name) => name.length < 400) : NAMES;
    for (const [i, name] of long.entries()) await ok(service, 'add', name, `u${i}`, 's1');
    for (const [i, name] of long.entries()) {
      for (const [j, other] of long.entries()) {
        const both = [...new Set([`u${i}`, `u${j}`])].sort();
        assert.deepStrictEqual(await users([name, other], {}), both);
        const rest = both.filter((uid) => uid !== `u${j}`);
        assert.deepStrictEqual(await users([name, other], { except: `u${j}` }), rest);
      }
      assert.deepStrictEqual(await users(name, { except: ['nobody'] }), [`u${i}`]);
      assert.deepStrictEqual(await users([name], null), [`u${i}`]);
    }
  });

  ours('H51 a lone surrogate is the same channel alone and beside another', async () => {
    await start();
    await ok(service, 'add', 'q\ud800', 'u', 's1');
    assert.deepStrictEqual(await users(['q\ud800', 'none'], {}), ['u']);
    assert.deepStrictEqual(await users(['q\ufffd'], { except: 'v' }), ['u']);
  });

  ours('H52 names and options may be changed after the call', async () => {
    await start();
    await ok(service, 'add', ['a', 'b'], ['u', 'v'], 's1');
    await ok(service, 'add', 'c', 'w', 's1');
    const names = ['a', 'b'];
    const opts = { except: ['u'] };
    app.rpcCalls.length = 0;
    const push = invoke(service, 'pushMessage', 'connector', 'r', {}, names, opts);
    names[1] = 'c';
    names.push('c');
    opts.except[0] = 'v';
    await push.done;
    assert.deepStrictEqual(push.args, [null, []]);
    assert.deepStrictEqual(pushed(app), [['s1', ['v']]]);
  });

  ours('H53 a push that is made while another one is read has its own options', async () => {
    await start();
    await ok(service, 'add', ['a', 'b'], ['u', 'v', 'w'], 's1');
    let inner;
    const pushInner = () => {
      inner = invoke(service, 'pushMessage', 'connector', 'in', {}, ['b'], { except: 'w', x: 1 });
      return 'u';
    };
    const opts = {
      y: 2,
      get except() {
        return pushInner();
      },
    };
    const names = ['a', 'b'];
    Object.defineProperty(names, 1, { get: () => (pushInner(), 'b') });
    for (const args of [
      [['a', 'b'], opts],
      ['a', opts],
      [names, { except: 'u', y: 2 }],
    ]) {
      app.rpcCalls.length = 0;
      const outer = invoke(service, 'pushMessage', 'connector', 'out', {}, ...args);
      await Promise.all([outer.done, inner.done]);
      assert.deepStrictEqual(
        [outer.args, inner.args],
        [
          [null, []],
          [null, []],
        ],
      );
      // A getter may be read more than once.
      const sent = new Map(app.rpcCalls.map(({ msg }) => [msg.args[0], msg.args]));
      const usersOf = (route) => [...sent.get(route)[2]].sort();
      assert.deepStrictEqual(usersOf('in'), ['u', 'v']);
      assert.deepStrictEqual(sent.get('in')[3].userOptions, { x: 1 });
      assert.deepStrictEqual(usersOf('out'), ['v', 'w']);
      assert.deepStrictEqual(sent.get('out')[3].userOptions, { y: 2 });
    }
  });

  ours('H54 symbols among the options reach the push schedulers too', async () => {
    await start();
    await ok(service, 'add', ['a', 'b'], ['u', 'v'], 's1');
    const key = Symbol('key');
    await users(['a', 'b'], { except: 'u', [key]: 1 });
    const [{ msg }] = app.rpcCalls;
    assert.strictEqual(msg.args[3].userOptions[key], 1);
  });

  ours('H55 a refused push leaves nothing behind for the next one', async () => {
    await start();
    await ok(service, 'add', ['a', 'b'], ['u', 'v'], 's1');
    const long = 'n'.repeat(ctx.store.options().store === 'embedded' ? 2000 : 4000);
    await call(service, 'pushMessage', 'connector', 'r', {}, ['a', long], { except: 'u' });
    assert.deepStrictEqual(await users(['a', 'b'], null), ['u', 'v']);
    assert.deepStrictEqual(await users('a', { z: 1 }), ['u', 'v']);
  });
});
