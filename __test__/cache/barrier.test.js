'use strict';

/**
 * The barrier, failed loads and keys: a barrier with a wrong count or an error serves no list, a failed load keeps
 * nothing, and keys are compared by their bytes. Pushes of other clients are in reads.test.js.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const {
  J,
  K,
  counted,
  failing,
  fill,
  hit,
  key,
  noHit,
  onDouble,
  reading,
  result,
} = require('./schedule');
const { ok } = require('../support/call');

describe('Cache: the barrier', () => {
  onDouble('barrier ignores count: a key gone without a push', async ({ double, service }) => {
    double.other('SADD', K, 'u');
    await fill(service);
    double.replaceSilently(K);
    assert.deepStrictEqual(await noHit(service), []);
  });

  onDouble('a key removed without a push beside one that exists', async ({ double, service }) => {
    for (const each of [K, J]) double.other('SADD', each, 'u');
    await fill(service);
    await fill(service, 'j');
    double.replaceSilently(K);
    const records = [reading(service), reading(service, 'j')];
    assert.deepStrictEqual(await result(records[0]), []);
    assert.deepStrictEqual(await result(records[1]), ['u']);
  });

  onDouble('a key asked for often in one tick counts once', async ({ double, service }) => {
    double.other('SADD', K, 'u');
    await fill(service);
    const counts = await counted(service, async () => {
      const records = Array.from({ length: 9 }, () => reading(service));
      for (const record of records) assert.deepStrictEqual(await result(record), ['u']);
    });
    assert.deepStrictEqual([counts.hits, counts.rereads], [9, 0]);
  });

  onDouble('empty and other lists in one tick are all served', async ({ double, service }) => {
    double.other('SADD', K, 'u');
    await fill(service);
    for (const name of ['e1', 'e2']) await fill(service, name);
    const counts = await counted(service, async () => {
      const records = ['n', 'e1', 'n', 'e2'].map((name) => reading(service, name));
      const lists = await Promise.all(records.map(result));
      assert.deepStrictEqual(lists, [['u'], [], ['u'], []]);
    });
    assert.deepStrictEqual([counts.hits, counts.rereads], [4, 0]);
  });

  for (const words of ['NOPERM no', 'LOADING wait', 'MOVED 1 127.0.0.1:1', 'ERR odd']) {
    onDouble(`a barrier that fails (${words.split(' ')[0]}) serves no list`, async (ctx) => {
      const { double, service } = ctx;
      double.other('SADD', K, 'old');
      await fill(service);
      double.replaceSilently(K, 'new');
      double.persona.refused = { TOUCH: words };
      assert.deepStrictEqual(await noHit(service), ['new']);
      double.persona.refused = {};
      assert.deepStrictEqual(await fill(service), ['new']);
    });
  }
});

describe('Cache: a load that fails', () => {
  // The store's own errors come with the push of the write that mends the key, which would clear it.
  onDouble(
    'error leaves loading: the next reads fill, and then one hits',
    async ({ double, service }) => {
      double.other('SADD', K, 'u');
      double.persona.refused = { SMEMBERS: 'NOPERM no' };
      assert.match((await failing(service, 'getMembersBySid', 'n', 's1')).message, /^NOPERM/);
      double.persona.refused = {};
      for (let i = 0; i < 2; i += 1) assert.deepStrictEqual(await noHit(service), ['u']);
      assert.deepStrictEqual(await hit(service), ['u']);
    },
  );

  onDouble('an error for one of several keys is kept for none', async ({ double, service }) => {
    double.other('SADD', K, 'u');
    double.persona.refused = { SMEMBERS: 'NOPERM no' };
    for (let i = 0; i < 2; i += 1) {
      const error = await failing(service, 'getMembersByChannelName', 'connector', 'n');
      assert.match(error.message, /^NOPERM/);
    }
    double.persona.refused = {};
    for (let i = 0; i < 2; i += 1) {
      const members = await ok(service, 'getMembersByChannelName', 'connector', 'n');
      assert.deepStrictEqual(members, ['u']);
    }
    for (const sid of ['s1', 's2', 's3']) await hit(service, 'n', sid);
  });
});

describe('Cache: a key is its bytes', () => {
  onDouble("keys as text: a lone surrogate is Redis' U+FFFD", async ({ double, service }) => {
    const stored = key('a\uFFFD');
    double.other('SADD', stored, 'old');
    await fill(service, 'a\uD800');
    double.other('SADD', stored, 'new');
    assert.deepStrictEqual(await noHit(service, 'a\uD800'), ['new', 'old']);
    // The same key under its other name.
    assert.deepStrictEqual(await hit(service, 'a\uFFFD'), ['new', 'old']);
  });

  onDouble('`a` on `b:c` is `a:b` on `c`', async ({ double, service }) => {
    await ok(service, 'add', 'a', 'old', 'b:c');
    await fill(service, 'a:b', 'c');
    await ok(service, 'leave', 'a', 'old', 'b:c');
    await ok(service, 'add', 'a', 'new', 'b:c');
    assert.deepStrictEqual(await noHit(service, 'a:b', 'c'), ['new']);
    double.other('SADD', key('a:b', 'c'), 'other');
    assert.deepStrictEqual(await noHit(service, 'a', 'b:c'), ['new', 'other']);
    assert.deepStrictEqual(await hit(service, 'a:b', 'c'), ['new', 'other']);
  });

  onDouble('names with a NUL, a line end or glob signs', async ({ double, service }) => {
    for (const name of ['a\0', 'a\0b', '\r\n', '*', '[a]', '']) {
      double.other('SADD', key(name), 'old');
      await fill(service, name);
      double.other('SADD', key(name), 'new');
      assert.deepStrictEqual(await noHit(service, name), ['new', 'old'], JSON.stringify(name));
    }
  });
});
