'use strict';

/**
 * The problems that the views find in a store (lib/inspect/views.js), on each store, and the commands that they suggest against
 * them.
 */

const assert = require('assert');
const { Leases } = require('../support/leases');
const { ours, stores } = require('../support/rows');
const { started } = require('../support/service');
const viewsOf = require('./opened');

stores('the problems', (ctx) => {
  const { open, indexed, all } = viewsOf(ctx);

  ours('tell what looks wrong, each with what mends it', async () => {
    const { add, leases } = await indexed();
    await leases.claim('s1', 'session-e1');
    await leases.claim('s2', 'session-e2', 1);
    await leases.add('s2', 'alice', 'bob');
    await leases.untilExpired('s2');
    await add('a', ['alice', 'bob'], 's1');
    await add(['a', 'b'], 'alice', "it's");
    const plain = await started(ctx.store);
    // It knows no index, so that an entry stays.
    await plain.promises.leave('a', 'bob', 's1');
    const views = open();
    const found = await all(
      (cursor) => views.problems({ cursor }),
      ({ problems }) => problems,
    );
    const remove = (sid) => `npx pome-globalchannel remove --from ADDRESS --sid=${sid}`;
    assert.deepStrictEqual(
      found.map(({ kind, sid, key, count, command }) => [kind, sid, key, count, command]),
      [
        ['expired-lease', 's2', null, 2, remove('s2')],
        ['members-without-lease', "it's", null, 2, remove("'it'\\''s'")],
        ['index-without-member', 's1', null, 1, null],
      ],
    );
    assert.strictEqual(new Set(found.map(({ id }) => id)).size, 3);
  });

  ours('find nothing wrong with members where no leases are in use', async () => {
    const { promises } = await started(ctx.store);
    await promises.add('a', 'alice', 's1');
    const views = open();
    assert.deepStrictEqual(
      await all(
        (cursor) => views.problems({ cursor }),
        ({ problems }) => problems,
      ),
      [],
    );
  });

  ours.redis('tell of keys that are no channels, however they are called', async () => {
    const { redis } = ctx;
    await redis.run(0, 'set', "POMELO:CHANNEL:it's:s1", 'x');
    await redis.run(0, 'hset', 'POMELO:CHANNEL:user\n\u202e', 'x', 'y');
    await redis.run(0, 'sadd', 'POMELO:CHANNEL:user-2', 'x');
    await redis.run(0, 'set', Buffer.from('504f4d454c4f3a4348414e4e454c3aff', 'hex'), 'x');
    const views = open();
    const found = await all(
      (cursor) => views.problems({ cursor }),
      ({ problems }) => problems,
    );
    const told = found.map(({ kind, key, command }) => [kind, key, command]);
    assert.deepStrictEqual(told.sort(), [
      [
        'foreign-key',
        'POMELO:CHANNEL:user\n\u202e',
        "redis-cli unlink $'POMELO:CHANNEL:user\\x0a\\xe2\\x80\\xae'",
      ],
      ['foreign-key', 'POMELO:CHANNEL:user-2', 'redis-cli unlink POMELO:CHANNEL:user-2'],
      ['foreign-key', 'POMELO:CHANNEL:\ufffd', null],
      ['not-a-set', "POMELO:CHANNEL:it's:s1", "redis-cli unlink 'POMELO:CHANNEL:it'\\''s:s1'"],
    ]);
  });

  ours('suggest no command that a shell would cut short', async () => {
    const { leases, add } = await indexed();
    await leases.claim('s1', 'session-e1');
    for (const sid of ['s1\0', '\ufffds1', 's2']) await add('room', 'u', sid);
    const views = open();
    const found = await all(
      (cursor) => views.problems({ cursor }),
      ({ problems }) => problems,
    );
    assert.deepStrictEqual(found.map(({ sid, command }) => [sid, command]).sort(), [
      ['s1\0', null],
      ['s2', 'npx pome-globalchannel remove --from ADDRESS --sid=s2'],
      ['\ufffds1', null],
    ]);
    if (!ctx.redis) return;
    await ctx.redis.run(0, 'set', 'POMELO:CHANNEL:user\0', 'x');
    const [{ command }] = (
      await all(
        (cursor) => views.problems({ cursor }),
        ({ problems }) => problems,
      )
    ).filter(({ kind }) => kind === 'foreign-key');
    assert.strictEqual(command, null);
  });

  ours('suggest nothing about keys of a longer prefix, nor of ids that end alike', async () => {
    const { leases, add } = await indexed();
    await leases.claim('s1', 'session-e1');
    await add(['room', 'a:b'], 'u', 's1');
    await add('room', 'u', 'x:s2');
    const inner = await started(ctx.store, {
      prefix: 'POMELO:CHANNEL:test',
      membership: 'session',
    });
    const innerLeases = new Leases(inner);
    await innerLeases.claim('s3', 'session-e3');
    await inner.promises.add(['room', 'lobby'], 'u', 's3');
    await innerLeases.add('s3', 'u');
    await started(ctx.store, { prefix: 'POMELO:CHANNEL:plain' }).then(({ promises }) =>
      promises.add('room', 'u', 's4'),
    );
    const views = open();
    const found = await all(
      (cursor) => views.problems({ cursor }),
      ({ problems }) => problems,
    );
    assert.deepStrictEqual(
      found.map(({ kind, sid, key, count, command }) => [kind, sid, key, count, command]),
      [
        [
          'members-without-lease',
          'x:s2',
          null,
          1,
          'npx pome-globalchannel remove --from ADDRESS --sid=x:s2',
        ],
      ],
    );
    const { channels } = await all(
      (cursor) => views.whois({ uid: 'u', cursor }),
      ({ channels: page }) => page,
    ).then((page) => ({ channels: page.map(({ name, sid }) => `${name} ${sid}`) }));
    assert.ok(channels.includes('room x:s2') && channels.includes('a:b s1'), `${channels}`);
    assert.ok(!channels.includes('room:x s2'), `${channels}`);
  });
});
