'use strict';

/** scanMembers and getChannels of custom managers: of those that have them, of those that have not, and answers that are no page. */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { call, ok } = require('../support/call');
const { recordingManager, startedWith } = require('../support/manager');
const { ours } = require('../support/rows');
const { stopAll } = require('../support/service');

describe('C pages of custom managers', () => {
  afterEach(stopAll);

  ours('a manager that has the methods is asked, with what was given', async () => {
    const manager = recordingManager();
    const asked = [];
    manager.scanMembers = (name, sid, opts, cb) => {
      asked.push([name, sid, opts]);
      cb(null, { members: ['a'], cursor: 'next' });
    };
    manager.getChannels = async (opts) => {
      asked.push([opts]);
      return { channels: [{ name: 'n', count: 1 }], cursor: null };
    };
    const service = await startedWith(manager);
    const opts = { cursor: 'mine', limit: 5 };
    assert.deepStrictEqual(await ok(service, 'scanMembers', 'n', 's1', opts), {
      members: ['a'],
      cursor: 'next',
    });
    assert.deepStrictEqual(await ok(service, 'getChannels', opts), {
      channels: [{ name: 'n', count: 1 }],
      cursor: null,
    });
    assert.deepStrictEqual(asked, [['n', 's1', opts], [opts]]);
  });

  ours(
    'of another one all members are one page; without getChannels it is unsupported',
    async () => {
      const manager = recordingManager();
      manager.getMembersBySid = (name, sid, cb) => cb(null, sid === 's1' ? ['a', 'b'] : null);
      const service = await startedWith(manager);
      const scan = (sid) => ok(service, 'scanMembers', 'n', sid, { limit: 1 });
      assert.deepStrictEqual(await scan('s1'), { members: ['a', 'b'], cursor: null });
      assert.deepStrictEqual(await scan('s2'), { members: [], cursor: null });
      const { err, argc, value } = await call(service, 'getChannels', {});
      assert.deepStrictEqual(
        [err.code, argc, value],
        ['ERR_GLOBAL_CHANNEL_UNSUPPORTED', 2, undefined],
      );
      assert.match(err.message, /getChannels/);
    },
  );

  ours('an answer that is no page is an error', async () => {
    const manager = recordingManager();
    const service = await startedWith(manager);
    for (const answer of [
      undefined,
      null,
      ['a'],
      {},
      { members: ['a'] },
      { members: [], cursor: 0 },
    ]) {
      manager.scanMembers = (name, sid, opts, cb) => cb(null, answer);
      const { err, argc, value } = await call(service, 'scanMembers', 'n', 's1', {});
      assert.match(err.message, /scanMembers answered with .*; accepted is \{members, cursor\}/);
      assert.deepStrictEqual([argc, value], [2, undefined]);
    }
  });
});
