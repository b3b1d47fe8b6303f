'use strict';

/**
 * What the cache may serve while another client (B) writes: a read that begins after B's write was acknowledged shows it,
 * and no read is older than one before it, whichever frames have arrived. Own writes are in writes.test.js, odd keys
 * and servers in barrier.test.js.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const {
  J,
  K,
  counted,
  either,
  fill,
  hit,
  invalidated,
  key,
  noHit,
  onDouble,
  read,
  reading,
  result,
} = require('./schedule');
const { invoke } = require('../support/call');
const { until } = require('../support/until');

describe('Cache: reads beside the writes of others', () => {
  onDouble(
    'a list that does not change is read twice, and then served after one barrier',
    async (ctx) => {
      const { double, service } = ctx;
      double.other('SADD', K, 'u');
      const counts = await counted(service, async () => {
        for (let i = 0; i < 5; i += 1) assert.deepStrictEqual(await read(service), ['u']);
      });
      assert.deepStrictEqual(counts, { hits: 3, misses: 2, rereads: 0, invalidations: 0 });
      assert.strictEqual(double.count('SMEMBERS', K), 2);
      assert.strictEqual(double.count('TOUCH', K), 3);
    },
  );

  onDouble('no barrier: a push on its way counts', async ({ double, service }) => {
    double.other('SADD', K, 'old');
    await fill(service);
    double.hold();
    double.other('SADD', K, 'new');
    const touched = double.next('TOUCH', K);
    const record = reading(service);
    await either(touched, record);
    double.flow();
    assert.deepStrictEqual(await result(record), ['new', 'old']);
  });

  for (const pushesFirst of [false, true]) {
    onDouble(
      `a change that is reported before the reply: the list shows it, and is kept (${pushesFirst ? 'as Redis 6' : 'as Redis 7'})`,
      async ({ double, service }) => {
        double.other('SADD', K, 'u');
        await fill(service);
        double.hold();
        const asked = double.next('SMEMBERS', K);
        const added = invoke(service, 'add', 'n', 'v', 's1');
        const record = reading(service);
        await asked;
        const own = pushesFirst ? ['invalidate', 'SADD'] : ['SADD', 'invalidate'];
        // The first is about the index of frontends.
        assert.deepStrictEqual(double.waiting().slice(1), [...own, 'CLIENT', 'SMEMBERS']);
        double.flow();
        assert.deepStrictEqual(await result(record), ['u', 'v']);
        assert.strictEqual((await added.done).err, null);
        assert.deepStrictEqual(await hit(service), ['u', 'v']);
      },
      { persona: { pushesFirst } },
    );
  }

  onDouble('no token: a list is not kept when a push came with it', async ({ double, service }) => {
    double.other('SADD', K, 'old');
    await read(service);
    double.hold();
    const asked = double.next('SMEMBERS', K);
    const record = reading(service);
    await asked;
    double.other('SADD', K, 'new');
    assert.deepStrictEqual(double.waiting(), ['CLIENT', 'SMEMBERS', 'invalidate']);
    double.flow();
    await record.done;
    assert.deepStrictEqual(await noHit(service), ['new', 'old']);
  });

  onDouble('null push keeps loads: it ends them like entries', async ({ double, service }) => {
    double.other('SADD', K, 'old');
    await read(service);
    double.hold();
    const asked = double.next('SMEMBERS', K);
    const record = reading(service);
    await asked;
    double.other('FLUSHALL');
    double.other('SADD', K, 'new');
    assert.deepStrictEqual(double.waiting(), ['CLIENT', 'SMEMBERS', 'invalidate']);
    double.flow();
    await record.done;
    assert.deepStrictEqual(await noHit(service), ['new']);
  });

  onDouble('joins a load already sent: a later read asks again', async ({ double, service }) => {
    double.other('SADD', K, 'old');
    double.hold();
    const asked = double.next('SMEMBERS', K);
    const first = reading(service);
    await asked;
    double.other('SADD', K, 'new');
    // The read of j goes with the second one of k and shows when that was looked at.
    const marker = double.next('SMEMBERS', J);
    const second = reading(service);
    reading(service, 'j');
    await marker;
    double.flow();
    assert.deepStrictEqual(await result(first), ['old']);
    assert.deepStrictEqual(await result(second), ['new', 'old']);
  });

  onDouble('shares a barrier already sent: a later read has its own', async (ctx) => {
    const { double, service } = ctx;
    double.other('SADD', K, 'old');
    await fill(service);
    double.hold();
    const touched = double.next('TOUCH', K);
    const first = reading(service);
    await touched;
    double.other('SADD', K, 'new');
    const marker = double.next('SMEMBERS', J);
    const second = reading(service);
    reading(service, 'j');
    await marker;
    // Only the first barrier: the push is still on its way.
    double.release(1);
    assert.deepStrictEqual(await result(first), ['old']);
    double.flow();
    assert.deepStrictEqual(await result(second), ['new', 'old']);
  });

  onDouble('a later read is not older than an earlier one', async ({ double, service }) => {
    double.other('SADD', K, 'a');
    await fill(service);
    double.hold();
    double.other('SADD', K, 'b');
    const touched = double.next('TOUCH', K);
    const first = reading(service);
    await either(touched, first);
    // The push arrives, the barrier does not: the first read is open, and k is not cached.
    const before = service.stats().cache.invalidations;
    double.release(1);
    await invalidated(service, before);
    const asked = double.next('SMEMBERS', K);
    const second = reading(service);
    await asked;
    double.other('SADD', K, 'c');
    double.flow();
    const [one, two] = [await result(first), await result(second)];
    assert.ok(one.includes('b') && two.includes('b'), `B's write is missing: ${one}; ${two}`);
    const lost = one.filter((uid) => !two.includes(uid));
    assert.deepStrictEqual(lost, [], `first ${one}, then ${two}`);
  });

  onDouble(
    'candidate held by reference: a list that had to make room is not served',
    async ({ double, service }) => {
      const uids = (letter) => Array.from({ length: 20 }, (_, i) => `${i}${letter.repeat(500)}`);
      double.other('SADD', K, ...uids('k'));
      double.other('SADD', J, ...uids('j'));
      await read(service, 'j');
      await fill(service);
      double.hold();
      const asked = double.next('SMEMBERS', J);
      const filling = reading(service, 'j');
      await asked;
      double.other('SADD', K, 'new');
      const touched = double.next('TOUCH', K);
      const record = reading(service);
      await either(touched, record);
      const first = ['CLIENT', 'SMEMBERS', 'invalidate'];
      assert.deepStrictEqual(double.waiting().slice(0, 3), first);
      double.release(2);
      await filling.done;
      assert.strictEqual(service.stats().cache.entries, 1, 'there is room for one list');
      double.flow();
      assert.ok((await result(record)).includes('new'));
    },
    // 10 kB of text, and twice that with what JavaScript makes of it: one has room, two have not.
    { opts: { cache: { maxBytes: 30000 } } },
  );

  onDouble('several keys in one push: all of them are dropped', async ({ double, service }) => {
    for (const each of [K, J]) double.other('SADD', each, 'old');
    await fill(service);
    await fill(service, 'j');
    const before = service.stats().cache.invalidations;
    double.otherTogether([
      ['SADD', K, 'new'],
      ['SADD', J, 'new'],
    ]);
    await invalidated(service, before);
    assert.deepStrictEqual(await noHit(service), ['new', 'old']);
    assert.deepStrictEqual(await noHit(service, 'j'), ['new', 'old']);
  });

  onDouble('a push without keys: everything is dropped', async ({ double, service }) => {
    for (const each of [K, J]) double.other('SADD', each, 'old');
    await fill(service);
    await fill(service, 'j');
    double.other('FLUSHALL');
    for (const each of [K, J]) double.other('SADD', each, 'new');
    assert.deepStrictEqual(await noHit(service), ['new']);
    assert.strictEqual(service.stats().cache.entries, 1);
    assert.deepStrictEqual(await noHit(service, 'j'), ['new']);
  });

  onDouble(
    'one frontend of a channel changed: the others are asked about, not read',
    async (ctx) => {
      const { double, service } = ctx;
      const keys = ['s1', 's2', 's3'].map((sid) => key('n', sid));
      for (const each of keys) double.other('SADD', each, 'u');
      for (const sid of ['s1', 's2', 's3']) await fill(service, 'n', sid);
      const readings = () => keys.map((each) => double.count('SMEMBERS', each));
      const before = readings();
      double.hold();
      double.other('SADD', keys[1], 'x');
      const touched = double.next('TOUCH', keys[0]);
      const record = invoke(service, 'getMembersByChannelName', 'connector', 'n');
      await either(touched, record);
      const counts = await counted(service, async () => {
        double.flow();
        assert.deepStrictEqual(await result(record), ['u', 'u', 'u', 'x']);
      });
      assert.deepStrictEqual(
        readings().map((count, index) => count - before[index]),
        [0, 1, 0],
      );
      assert.strictEqual(counts.hits, 2);
      assert.strictEqual(counts.rereads, 1);
      assert.deepStrictEqual(await hit(service, 'n', 's2'), ['u', 'x']);
    },
  );

  onDouble('one frontend of a channel changed: all are read again, together', async (ctx) => {
    const { double, service } = ctx;
    const [one, two] = [key('n', 's1'), key('n', 's2')];
    double.other('SADD', one, 'u');
    for (const sid of ['s1', 's2', 's3']) await fill(service, 'n', sid);
    double.hold();
    double.other('SADD', one, 'x');
    const touched = double.next('TOUCH', one);
    const record = invoke(service, 'getMembersByChannelName', 'connector', 'n');
    await either(touched, record);
    // u moves to s2 and is never nowhere. New s1 beside old s2 would have it nowhere.
    double.other('SADD', two, 'u');
    double.other('SREM', one, 'u');
    assert.deepStrictEqual(double.waiting().slice(0, 2), ['invalidate', 'TOUCH']);
    const asked = double.next('SMEMBERS', one);
    // The push, and the barrier's two answers: of the full lists and of the empty ones.
    double.release(3);
    await asked;
    double.flow();
    const members = await result(record);
    assert.ok(members.includes('u'), `u is on neither: ${members}`);
    assert.ok(members.includes('x'), `B's write is missing: ${members}`);
  });

  onDouble('a later read is not older than a channel that is read again', async (ctx) => {
    const { double, service } = ctx;
    const [one, two] = [key('n', 's1'), key('n', 's2')];
    for (const each of [one, two]) double.other('SADD', each, 'old');
    for (const sid of ['s1', 's2', 's3']) await fill(service, 'n', sid);
    double.hold();
    double.other('SADD', two, 'x');
    const touched = double.next('TOUCH', one);
    const channel = invoke(service, 'getMembersByChannelName', 'connector', 'n');
    const record = reading(service);
    await either(touched, channel);
    double.other('SADD', one, 'y');
    // s2 has changed, and the channel is read again with s1, which the barrier found unchanged: it is asked about again.
    const asked = double.next('SMEMBERS', two);
    // The push, and the barrier's two answers: of the full lists and of the empty ones.
    double.release(3);
    await either(asked, channel);
    double.flow();
    const [first, second] = [await result(channel), await result(record)];
    assert.ok(first.includes('x'), `B's write is missing: ${first}`);
    assert.ok(!first.includes('y') || second.includes('y'), `first ${first}, then ${second}`);
  });

  onDouble('a changed list is read once for all waiting calls, and cached again', async (ctx) => {
    const { double, service } = ctx;
    double.other('SADD', K, 'old');
    await fill(service);
    double.hold();
    double.other('SADD', K, 'new');
    const touched = double.next('TOUCH', K);
    const records = [reading(service), reading(service), reading(service)];
    await either(touched, records[0]);
    const asked = double.count('SMEMBERS', K);
    const counts = await counted(service, async () => {
      double.flow();
      for (const record of records) assert.deepStrictEqual(await result(record), ['new', 'old']);
    });
    assert.deepStrictEqual([counts.hits, counts.rereads], [0, 3]);
    assert.strictEqual(double.count('SMEMBERS', K), asked + 1);
    assert.deepStrictEqual(await hit(service), ['new', 'old']);
  });

  onDouble('reads of one key in one tick share one question', async ({ double, service }) => {
    double.other('SADD', K, 'u');
    for (const [members, touches] of [
      [1, 0],
      [2, 0],
      [2, 1],
    ]) {
      const records = Array.from({ length: 50 }, () => reading(service));
      for (const record of records) assert.deepStrictEqual(await result(record), ['u']);
      assert.strictEqual(double.count('SMEMBERS', K), members);
      assert.strictEqual(double.count('TOUCH', K), touches);
    }
  });

  onDouble('an empty list is cached too, and read again when a member is added', async (ctx) => {
    const { double, service } = ctx;
    assert.deepStrictEqual(await fill(service), []);
    double.hold();
    double.other('SADD', K, 'new');
    const record = reading(service);
    await either(
      until(() => double.waiting().includes('TOUCH'), 'the barrier'),
      record,
    );
    double.flow();
    assert.deepStrictEqual(await result(record), ['new']);
  });
});
