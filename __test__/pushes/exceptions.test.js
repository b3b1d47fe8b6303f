'use strict';

/**
 * Users left out of pushes to long lists, again and again, as each message of a chat leaves its sender out: who is where
 * in a list is remembered (lib/places.js), and must be forgotten with the list. Short lists, and combinations of
 * channels, are in channels.test.js; frontends that take names for lists in __test__/lists/.
 */

const assert = require('node:assert');
const { limits, size } = require('../../lib/places');
const { limits: tables } = require('../../lib/uidIndex');
const { createApp } = require('../support/app');
const { call, ok } = require('../support/call');
const { stores, ours } = require('../support/rows');
const { started } = require('../support/service');

const SIDS = ['s1', 's2', 's3'];
const people = (sid, count, from = 0) =>
  Array.from({ length: count }, (_, i) => `${sid}-user-${from + i}`);
const sorted = (uids) => [...uids].sort();

stores('H exceptions from long lists', (ctx) => {
  let app;
  let service;
  /** The members of channel `n` by frontend. */
  let members;

  async function start(options) {
    app = createApp();
    service = await started(ctx.store, options, app);
    members = { s1: people('s1', 100), s2: people('s2', 2000), s3: people('s3', 40) };
    for (const sid of SIDS) await ok(service, 'add', 'n', members[sid], sid);
  }

  /** Pushes, checks who was sent it, and returns the failed uids. */
  async function push(opts, isExpected) {
    app.rpcCalls.length = 0;
    const failed = await ok(service, 'pushMessage', 'connector', 'r', {}, 'n', opts);
    const pushes = app.rpcCalls.filter(({ msg }) => msg.method === 'pushMessage');
    const sent = new Map(pushes.map(({ sid, msg }) => [sid, msg.args[2]]));
    for (const sid of SIDS) {
      const expected = members[sid].filter(isExpected);
      assert.deepStrictEqual(sorted(sent.get(sid) || []), sorted(expected), sid);
    }
    return failed;
  }

  const without = (except) => push({ except }, (uid) => !except.includes(uid));

  for (const cache of [true, false]) {
    ours(`H30 another sender each time, while members come and go (cache: ${cache})`, async () => {
      await start({ cache });
      for (let i = 0; i < 60; i += 1) {
        await without([members.s2[(i * 37) % members.s2.length], members.s1[i % 90], `no-${i}`]);
        if (i % 20 === 19) {
          const [gone, fresh] = [members.s2[i], `s2-new-${i}`];
          await ok(service, 'leave', 'n', gone, 's2');
          await ok(service, 'add', 'n', fresh, 's2');
          members.s2 = [...members.s2.filter((uid) => uid !== gone), fresh];
          await without([fresh]);
          await without([gone]);
        }
      }
    });
  }

  ours('a very long uid, which the addon checks, is beside one that is left out', async () => {
    await start();
    const long = 'u'.repeat((1 << 20) + 1);
    await without([long, members.s1[3]]);
    await push({ only: [members.s2[7], long] }, (uid) => uid === members.s2[7]);
    const { err } = await call(service, 'pushMessage', 'connector', 'r', {}, 'n', {
      except: [long, null],
    });
    assert.match(err.message, /^argument opts\.except\[1\] is null/);
  });

  ours('H31 few, many, or all but few are left out', async () => {
    await start();
    const all = [...members.s1, ...members.s2, ...members.s3];
    for (let round = 0; round < 12; round += 1) {
      for (const count of [0, 1, 2, 15, 16, 17, 100, 1990, all.length]) {
        const uids = all.filter((_, i) => (i * 7 + round) % all.length < count);
        await without(uids);
        await push({ only: uids }, (uid) => uids.includes(uid));
        const except = uids.filter((_, i) => i % 3 === 0);
        const both = { only: uids, except };
        await push(both, (uid) => uids.includes(uid) && !except.includes(uid));
      }
    }
  });

  ours('H32 what a receiver does to its list changes no other push', async () => {
    await start();
    app.rpc = (sid, msg, cb) => {
      const [, , uids] = msg.args;
      if (msg.method === 'pushMessage') {
        msg.args[2] = uids.slice();
        uids[0] = 'changed';
        uids.length = 3;
      }
      process.nextTick(cb, null, []);
    };
    for (let i = 0; i < 30; i += 1) {
      await without([members.s1[i]]);
      await without([]);
    }
  });

  ours('H33 the failed uids are those who should have got it', async () => {
    await start();
    const down = { s1: new Error('down') };
    app.rpc = (sid, msg, cb) => process.nextTick(cb, down[sid], sid === 's3' ? ['gone'] : []);
    for (let i = 0; i < 30; i += 1) {
      const except = [members.s1[3 * i], members.s2[i]];
      const failed = await without(except);
      const left = members.s1.filter((uid) => !except.includes(uid));
      assert.deepStrictEqual(sorted(failed), sorted([...left, 'gone']));
    }
    down.s2 = down.s1;
    down.s3 = down.s1;
    const opts = { except: members.s1[0] };
    const { err } = await call(service, 'pushMessage', 'connector', 'r', {}, 'n', opts);
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_PUSH_FAILED');
  });

  ours(
    'H35 what is remembered of lists is bounded, and gone when the service has stopped',
    async () => {
      const { most } = limits;
      try {
        limits.most = 120;
        await start();
        let seen = 0;
        for (let i = 0; i < 40; i += 1) {
          await without([members.s1[i], members.s3[i]]);
          assert.ok(size() <= 120, `${size()} uids`);
          seen = Math.max(seen, size());
        }
        assert.ok(seen > 0);
        limits.most = most;
        for (let i = 0; i < 20; i += 1) await without([members.s1[i]]);
        assert.ok(size() >= 2000);
        await call(service, 'stop', true);
        assert.strictEqual(size(), 0);
      } finally {
        limits.most = most;
      }
    },
  );

  ours('H42 lists of all sizes come and go while the memory for indexes is full', async () => {
    const { words } = tables;
    try {
      // Room for the index of one long list, and of a few short ones: mostly there is no place for the next.
      tables.words = 1 << 13;
      await start();
      for (let round = 0; round < 40; round += 1) {
        const count = [40, 100, 300, 700, 1500][round % 5];
        members.s1 = people('s1', count, round);
        await ok(service, 'destroyChannel', 'n');
        for (const sid of SIDS) await ok(service, 'add', 'n', members[sid], sid);
        for (let i = 0; i < 6; i += 1) {
          const [own, other] = [members.s1[(i * 17) % count], members.s2[round * 6 + i]];
          await without([own, other, members.s3[i], `no-${i}`]);
        }
      }
      assert.ok(size() > 0);
    } finally {
      tables.words = words;
    }
  });

  ours('H40 a list that is not kept from push to push gets no index', async () => {
    await start({ cache: false });
    const many = members.s1.slice(0, 15);
    for (let i = 0; i < 12; i += 1) {
      await without(many);
      await without([members.s2[i]]);
      assert.strictEqual(size(), 0);
    }
  });

  ours('H41 uids whose last characters are the same are told apart, without an index', async () => {
    await start();
    members = {
      s1: people('s1', 500).map((uid) => uid.padStart(20) + '-'.repeat(100)),
      s2: [],
      s3: [],
    };
    await ok(service, 'destroyChannel', 'n');
    await ok(service, 'add', 'n', members.s1, 's1');
    for (let i = 0; i < 30; i += 1) {
      await without([members.s1[i], members.s1[499 - i]]);
      assert.strictEqual(size(), 0);
    }
  });

  ours('H36 users who cannot be sent a push are failed uids only if it is for them', async () => {
    await start();
    await ok(service, 'add', 'n', ['constructor', 'toString'], 's1');
    const poison = ['constructor', 'toString'];
    for (let i = 0; i < 12; i += 1) {
      assert.deepStrictEqual(sorted(await without([members.s1[i]])), poison);
      assert.deepStrictEqual(await without([members.s1[i], 'constructor']), ['toString']);
      const only = [members.s1[i], 'toString'];
      const isIt = (uid) => uid === members.s1[i];
      assert.deepStrictEqual(await push({ only }, isIt), ['toString']);
    }
  });

  ours('H37 a lone surrogate in a uid is the character that the store keeps for it', async () => {
    await start();
    await ok(service, 'add', 'n', 'x\ud800', 's1');
    members.s1.push('x\ufffd');
    await push({ except: 'x\ud800' }, (uid) => uid !== 'x\ufffd');
    await push({ only: ['x\ud800'] }, (uid) => uid === 'x\ufffd');
  });

  ours('H34 an uid that is in a list twice, since its bytes are not UTF-8', async () => {
    await start();
    const bytes = [Buffer.from([0xff]), Buffer.from([0xfe])];
    await ok(service, 'add', 'n', bytes, 's1');
    members.s1.push('\ufffd', '\ufffd');
    for (let i = 0; i < 12; i += 1) {
      await without(['\ufffd']);
      await without(['\ufffd', members.s1[i]]);
      await push({ only: '\ufffd' }, (uid) => uid === '\ufffd');
    }
  });
});
