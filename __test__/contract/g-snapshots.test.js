'use strict';

/**
 * Arguments that the app changes after a call: a custom manager that reads them later, and what the package itself makes of its
 * answers, are as at the call.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { invoke } = require('../support/call');
const { stopAll } = require('../support/service');
const { recordingManager, startedWith } = require('../support/manager');
const { ours } = require('../support/rows');

describe('G arguments that change after the call', () => {
  afterEach(stopAll);

  /** A manager whose methods read their options in a later turn. */
  function lateManager() {
    const seen = [];
    const late =
      (answer) =>
      (...args) => {
        const cb = args.pop();
        setImmediate(() => {
          seen.push({ ...args[args.length - 1] });
          cb(null, answer);
        });
      };
    const manager = {
      ...recordingManager(),
      everywhere: true,
      scanMembers: late({ members: [], cursor: null }),
      getChannels: late({ channels: [], cursor: null }),
      destroyChannel: late(undefined),
    };
    return { manager, seen };
  }

  for (const waitForStart of [false, true]) {
    ours(`options are read as at the call (waitForStart: ${waitForStart})`, async () => {
      const { manager, seen } = lateManager();
      const service = await startedWith(manager, { waitForStart });
      const page = { cursor: 'mine', limit: 5, own: 1 };
      const match = { match: 'a*' };
      const removal = { everywhere: true, own: 2 };
      const calls = [
        invoke(service, 'scanMembers', 'n', 's1', page),
        invoke(service, 'getChannels', match),
        invoke(service, 'destroyChannel', 'n', removal),
      ];
      Object.assign(page, { cursor: 'other', limit: 7, own: 3 });
      match.match = 'b*';
      removal.everywhere = false;
      for (const { done } of calls) assert.ifError((await done).err);
      assert.deepStrictEqual(seen, [
        { cursor: 'mine', limit: 5, own: 1 },
        { match: 'a*' },
        { everywhere: true, own: 2 },
      ]);
    });
  }

  ours('a getter that answers otherwise the second time does not change what is done', async () => {
    const { manager, seen } = lateManager();
    const service = await startedWith(manager);
    let reads = 0;
    const opts = {
      get everywhere() {
        reads += 1;
        return reads === 1;
      },
    };
    assert.ifError((await invoke(service, 'destroyChannel', 'n', opts).done).err);
    assert.deepStrictEqual(seen, [{ everywhere: true }]);
  });

  ours('what is made of the answers of a manager is about the arguments of the call', async () => {
    const manager = recordingManager();
    manager.getMembersBySid = (name, sid, cb) => setImmediate(cb, null, ['a']);
    const service = await startedWith(manager);
    const [uid, names] = [Buffer.from('a'), ['n', 'm']];
    const isMember = invoke(service, 'isMember', 'n', uid, 's1');
    const lists = invoke(service, 'getMembersByChannelNameBySid', 'connector', names);
    uid[0] = 0x62;
    names.reverse();
    names.length = 1;
    assert.strictEqual((await isMember.done).value, true);
    const each = { s1: ['a'], s2: ['a'], s3: ['a'] };
    assert.deepStrictEqual((await lists.done).value, { n: each, m: each });
  });
});
