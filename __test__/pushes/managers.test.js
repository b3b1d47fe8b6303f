'use strict';

/**
 * Who gets a push with a custom manager whose lists have uids with lone surrogates: as with a built-in store, which keeps
 * U+FFFD for them, they are the same user as that text. The stores' own rows are H37 in exceptions.test.js.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { createApp, pushed } = require('../support/app');
const { ok } = require('../support/call');
const { startedWith } = require('../support/manager');
const { ours } = require('../support/rows');
const { stopAll } = require('../support/service');

const LONE = 'x\ud800';
const KEPT = 'x\ufffd';
const PAIR = 'x\ud83d\ude00';

describe('H pushes with a custom manager', () => {
  afterEach(stopAll);

  const lists = { a: [LONE, PAIR, 'y', 7], b: [KEPT, 'z'] };
  const manager = { getMembersBySid: (name, sid, cb) => cb(null, sid === 's1' ? lists[name] : []) };
  for (const method of ['add', 'leave', 'destroyChannel']) manager[method] = () => {};

  const both = ['a', 'b'];
  for (const [title, name, opts, expected] of [
    ['left out by itself', 'a', { except: LONE }, [PAIR, 'y', 7]],
    ['left out by the text that a store keeps', 'a', { except: [KEPT] }, [PAIR, 'y', 7]],
    ['the only one', 'a', { only: KEPT }, [LONE]],
    ['another character is another user', 'a', { except: 'x\u{1f601}' }, lists.a],
    ['a pair is no lone surrogate', 'a', { only: [PAIR, '7'] }, [PAIR, 7]],
    ['left out with a channel', 'a', { exceptChannels: 'b' }, [PAIR, 'y', 7]],
    ['in two channels, once', both, {}, [LONE, PAIR, 'y', 7, 'z']],
    ['in two channels, left out', both, { except: LONE }, [PAIR, 'y', 7, 'z']],
  ]) {
    ours(`H38 a lone surrogate in a uid of a custom manager: ${title}`, async () => {
      const app = createApp();
      const service = await startedWith(manager, {}, app);
      await ok(service, 'pushMessage', 'connector', 'r', {}, name, opts);
      assert.deepStrictEqual(pushed(app), [['s1', expected]]);
    });
  }

  ours('H39 isMember, made of the list of a custom manager, compares in the same way', async () => {
    const service = await startedWith(manager);
    for (const [uid, isIt] of [
      [LONE, true],
      [KEPT, true],
      ['x', false],
      ['7', true],
    ]) {
      assert.strictEqual(await ok(service, 'isMember', 'a', uid, 's1'), isIt);
    }
  });
});
