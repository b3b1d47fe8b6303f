'use strict';

/**
 * The views of a store (lib/inspect/views.js), on each store: what they show of leases, channels, members and users, and that they
 * change nothing. Problems are in problems.test.js, the commands that print all of it in commands.test.js, clusters and sentinels
 * in topology/.
 */

const assert = require('assert');
const addressOf = require('../support/address');
const { ours, stores } = require('../support/rows');
const { readStore } = require('../support/stores');
const { started, stopAll } = require('../support/service');
const { until } = require('../support/until');
const { proxy } = require('../faults/wire');
const viewsOf = require('./opened');

const HOSTILE = [
  '<img src=x>',
  '\u202eabc',
  'nul\0',
  'a/b',
  "it's",
  'x'.repeat(300),
  '__proto__',
  '\x1b[2J',
];

stores('the views', (ctx) => {
  const { open, indexed, all } = viewsOf(ctx);

  ours('show frontends with the state of their leases, and what each has', async () => {
    const { add, leases } = await indexed();
    await leases.claim('held', 'session-e1');
    await leases.claim('persistent', 'e2');
    await leases.claim('dead', 'e3', 1);
    await leases.claim('ended', 'session-e4');
    await leases.release('ended', 'session-e4');
    await leases.add('held', 'alice', 'bob');
    await leases.untilExpired('dead');
    await add(['a', 'b'], ['alice', 'bob'], 'held');
    await add('a', 'carl', 'no-lease');
    const views = open();
    const { frontends, isComplete } = await views.frontends();
    assert.strictEqual(isComplete, true);
    const rows = Object.fromEntries(frontends.map(({ sid, ...row }) => [sid, row]));
    assert.deepStrictEqual(Object.keys(rows), ['dead', 'ended', 'held', 'no-lease', 'persistent']);
    const { ttl, ...held } = rows.held;
    assert.ok(ttl > 0 && ttl <= 60000, `${ttl} ms`);
    const counts = { online: 2, channels: 2, members: 4 };
    assert.deepStrictEqual(held, {
      lease: 'held',
      epoch: 'session-e1',
      age: null,
      ends: true,
      isIndexed: true,
      ...counts,
    });
    const none = { epoch: null, ttl: 0, isIndexed: false, online: 0, channels: 0, members: 0 };
    assert.deepStrictEqual(rows.dead, { ...none, lease: 'expired', age: null, ends: false });
    assert.strictEqual(rows.persistent.lease, 'held');
    assert.strictEqual(rows.persistent.ends, false);
    const { age, ...ended } = rows.ended;
    assert.ok(age >= 0 && age < 60000, `${age} ms`);
    assert.deepStrictEqual(ended, { ...none, lease: 'none', ends: true });
    assert.strictEqual(rows['no-lease'].members, 1);

    const { store, ...totals } = await views.overview();
    assert.deepStrictEqual(totals, {
      prefix: 'POMELO:CHANNEL',
      channels: 2,
      members: 5,
      frontends: 5,
      leases: { held: 2, expired: 1, none: 2 },
      online: 2,
      isComplete: true,
    });
    assert.match(store.version, /^(Redis|Valkey|LMDB) \d+\.\d+\.\d+/);
    assert.strictEqual(store.kind, ctx.redis ? 'redis' : 'embedded');
  });

  ours('count no more keys than they may, and say so', async () => {
    const { promises } = await started(ctx.store);
    for (let i = 0; i < 60; i += 1) await promises.add(`c${i}`, ['u', 'v'], 's1');
    const views = open();
    const { channels, isComplete } = await views.overview({ limit: 10 });
    assert.ok(!isComplete && channels < 60, `${channels} channels`);
    assert.strictEqual((await views.overview({ limit: 1000 })).channels, 60);
    for (const limit of [0, 2000001]) {
      await assert.rejects(views.overview({ limit }), {
        code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT',
      });
    }
  });

  ours('show channels page by page, each with its spread over frontends', async () => {
    const { promises } = await started(ctx.store);
    const names = Array.from({ length: 40 }, (_, i) => `room ${i}`);
    for (const name of names) {
      await promises.add(name, ['u', 'v', 'w'], 's1');
      await promises.add(name, ['x'], 's2');
    }
    await promises.add('other', 'u', 's9');
    const views = open();
    const read = (cursor) => views.channels({ match: 'room *', cursor, limit: 10 });
    const found = await all(read, ({ channels }) => channels);
    assert.deepStrictEqual(found.map(({ name }) => name).sort(), names.sort());
    for (const { count, frontends } of found) {
      assert.deepStrictEqual(frontends, [
        { sid: 's1', count: 3 },
        { sid: 's2', count: 1 },
      ]);
      assert.strictEqual(count, 4);
    }
    const { cursor } = await read(null);
    assert.ok(cursor !== null);
    for (const wrong of [{ match: 'other', cursor }, { cursor: 'x' }, { limit: 10001 }]) {
      await assert.rejects(views.channels(wrong), { code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT' });
    }
  });

  ours('show the members of a channel frontend by frontend, and of one frontend', async () => {
    const { promises } = await started(ctx.store);
    const expected = [];
    for (const sid of ['s1', 's/2', 's3']) {
      const uids = Array.from({ length: 150 }, (_, i) => `${sid} ${i}`);
      await promises.add('room', uids, sid);
      expected.push(...uids.map((uid) => `${sid}|${uid}`));
    }
    const views = open();
    await views.find();
    const texts = ({ members }) => members.map(({ uid, sid }) => `${sid}|${uid}`);
    const read = (cursor) => views.members({ name: 'room', cursor, limit: 40 });
    const found = await all(read, texts);
    assert.deepStrictEqual([...new Set(found)].sort(), expected.slice().sort());
    const { count, frontends } = await read(null);
    assert.strictEqual(count, 450);
    assert.deepStrictEqual(frontends.map(({ sid }) => sid).sort(), ['s/2', 's1', 's3']);
    const one = (cursor) => views.members({ name: 'room', sid: 's/2', cursor, limit: 1000 });
    assert.deepStrictEqual(new Set(await all(one, texts)), new Set(expected.slice(150, 300)));
    assert.deepStrictEqual((await views.members({ name: 'nothing' })).members, []);
    await assert.rejects(views.members({ name: 'room', cursor: 'x' }), {
      code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT',
    });
  });

  ours(
    'find a user: where he is online, in the index, and in channels that are in none',
    async () => {
      const { add, leases } = await indexed();
      await leases.claim('s1', 'session-e1');
      await leases.claim('s2', 'session-e2', 1);
      await leases.add('s1', 'alice');
      await leases.add('s2', 'alice');
      await leases.untilExpired('s2');
      await add(['a', 'b'], 'alice', 's1');
      await add('b', 'bob', 's1');
      const plain = await started(ctx.store);
      for (let i = 0; i < 30; i += 1)
        await plain.promises.add(`c${i}`, i % 10 ? 'bob' : 'alice', 's3');
      const views = open();
      const first = await views.whois({ uid: 'alice' });
      assert.deepStrictEqual(first.online, ['s1']);
      const text = ({ name, sid }) => `${name} ${sid}`;
      assert.deepStrictEqual(first.channels.map(text).sort(), ['a s1', 'b s1']);
      const read = (cursor) => views.whois({ uid: 'alice', cursor, limit: 10 });
      const found = await all(read, ({ channels }) => channels.map(text));
      assert.deepStrictEqual([...new Set(found)].sort(), [
        'a s1',
        'b s1',
        'c0 s3',
        'c10 s3',
        'c20 s3',
      ]);
      const { online, channels } = await views.whois({ uid: 'nobody' });
      assert.deepStrictEqual([online, channels], [[], []]);
    },
  );

  ours('show hostile names as they are in the store', async () => {
    const { promises } = await started(ctx.store);
    for (const name of HOSTILE) await promises.add(name, HOSTILE, `on ${name.slice(0, 20)}`);
    const views = open();
    const { channels } = await views.channels();
    assert.deepStrictEqual(channels.map(({ name }) => name).sort(), HOSTILE.slice().sort());
    for (const name of HOSTILE) {
      const { members } = await views.members({ name });
      assert.deepStrictEqual(members.map(({ uid }) => uid).sort(), HOSTILE.slice().sort());
      const found = await all(
        (cursor) => views.whois({ uid: name, cursor }),
        (page) => page.channels.map((each) => each.name),
      );
      assert.deepStrictEqual([...new Set(found)].sort(), HOSTILE.slice().sort());
    }
  });

  ours.redis('know prefixes and hash tags', async () => {
    const tagged = await started(ctx.store, { prefix: 'P', hashTag: true });
    await tagged.promises.add('a', 'u', 's1');
    const plain = await started(ctx.store, { prefix: 'P' });
    await plain.promises.add('b', 'u', 's1');
    const names = async (options) => (await open(options).channels()).channels.map((c) => c.name);
    assert.deepStrictEqual(await names({ prefix: 'P', hashTag: true }), ['a']);
    assert.deepStrictEqual(await names({ prefix: 'Q' }), []);
    const { members } = await open({ prefix: 'P', hashTag: true }).members({ name: 'a' });
    assert.deepStrictEqual(members, [{ uid: 'u', sid: 's1' }]);
  });

  ours.redis(
    'show members of frontends that are in no index, once these were searched for',
    async () => {
      await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:a:old', 'u');
      for (let i = 0; i < 3000; i += 1)
        await ctx.redis.run(0, 'sadd', `POMELO:CHANNEL:c${i}:s`, 'u');
      const views = open();
      const progress = [];
      const onKeys = (count) => progress.push(count);
      assert.deepStrictEqual(await views.find({ onKeys }), { isComplete: true });
      assert.ok(progress.length > 2, `${progress}`);
      const { members, isComplete } = await views.members({ name: 'a' });
      assert.deepStrictEqual([members, isComplete], [[{ uid: 'u', sid: 'old' }], true]);
      const { frontends } = await views.frontends();
      assert.deepStrictEqual(
        frontends.map(({ sid }) => sid),
        ['old', 's'],
      );
    },
  );

  ours('change nothing in the store', async () => {
    const { add, leases } = await indexed();
    await leases.claim('s1', 'session-e1');
    await leases.claim('s2', 'e2', 1);
    await leases.add('s2', 'alice');
    await leases.untilExpired('s2');
    await add(['a', 'b'], 'alice', 's1');
    const address = addressOf(ctx.store);
    // It might sweep meanwhile.
    await stopAll();
    const before = await readStore(address, null);
    const monitor = ctx.redis && (await ctx.redis.monitor());
    const views = open();
    await views.overview();
    await views.frontends();
    await views.channels();
    await views.members({ name: 'a' });
    await all(
      (cursor) => views.whois({ uid: 'alice', cursor }),
      () => [],
    );
    await all(
      (cursor) => views.problems({ cursor }),
      () => [],
    );
    if (monitor) {
      const reads =
        'SCAN SSCAN TYPE SCARD SISMEMBER SMEMBERS HKEYS EVAL GET PTTL INFO SELECT CLIENT HELLO'.split(
          ' ',
        );
      const seen = await monitor.commands();
      // The login asks whether there is an UNLINK, with a key that no channel has.
      const others = seen.filter(
        ([, name, key]) => !reads.includes(name) && !/\0probe$|x00probe$/.test(key),
      );
      assert.deepStrictEqual(others, []);
    }
    await views.close();
    assert.deepStrictEqual(await readStore(address, null), before);
  });

  ours.redis('ask again if the connection is lost before the answer comes', async () => {
    await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:a:s1', 'u');
    let isToCut = false;
    let cuts = 0;
    const wire = await proxy(ctx.redis.port);
    wire.toServer = (chunk, { client }) => {
      if (!isToCut) return chunk;
      isToCut = false;
      cuts += 1;
      client.destroy();
      return undefined;
    };
    const views = open(undefined, `redis://127.0.0.1:${wire.port}`);
    assert.strictEqual((await views.channels()).channels.length, 1);
    isToCut = true;
    assert.strictEqual((await views.channels()).channels.length, 1);
    assert.strictEqual(cuts, 1);
    await views.close();
    await wire.close();
  });

  ours.redis('go on after the connection was lost', async () => {
    await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:a:s1', 'u');
    const views = open();
    assert.strictEqual((await views.overview()).channels, 1);
    await ctx.redis.killClients();
    assert.strictEqual((await views.overview()).channels, 1);
    await ctx.redis.restart();
    assert.strictEqual((await views.overview()).channels, 0);
    await ctx.redis.kill();
    await assert.rejects(views.overview(), { code: 'ERR_GLOBAL_CHANNEL_UNREACHABLE' });
    await ctx.redis.up();
    assert.strictEqual((await views.overview()).channels, 0);
    await views.close();
    await assert.rejects(views.overview(), { code: 'ERR_GLOBAL_CHANNEL_STOPPED' });
    await until(async () => (await ctx.redis.clients()).length === 0, 'no client');
  });

  ours.redis(
    'show channels to a user without rights to leases, and say what is missing',
    async () => {
      const { redis } = ctx;
      await redis.run(0, 'sadd', 'POMELO:CHANNEL:a:s1', 'u');
      await redis.run(0, 'sadd', 'POMELO:CHANNEL@leases', 's1');
      const rights = [
        '~POMELO:CHANNEL:*',
        '+select',
        '+info',
        '+scan',
        '+sscan',
        '+type',
        '+scard',
        '+sismember',
        '+client|id',
      ];
      await redis.run(0, 'acl', 'setuser', 'few', 'reset', 'on', '>few', ...rights);
      const views = open(undefined, `redis://few:few@127.0.0.1:${redis.port}`);
      await views.find();
      assert.deepStrictEqual(
        (await views.channels()).channels.map(({ name }) => name),
        ['a'],
      );
      assert.deepStrictEqual((await views.members({ name: 'a' })).members, [
        { uid: 'u', sid: 's1' },
      ]);
      const { problems } = await views.problems();
      assert.deepStrictEqual([...new Set(problems.map(({ kind }) => kind))], ['not-readable']);
      assert.match(problems[0].text, /NOPERM/);
    },
  );
});
