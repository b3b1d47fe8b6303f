'use strict';

/**
 * Which keys reads make the server remember, on the wire double: those of lists that are read again, and none that does not
 * exist. The same after many matches on a real server is tested in faults/matches.test.js.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const {
  J,
  K,
  counted,
  fill,
  hit,
  key,
  noHit,
  onDouble,
  read,
  reading,
  result,
} = require('./schedule');
const { ok } = require('../support/call');
const { started } = require('../support/service');
const { until } = require('../support/until');

const OOM = "OOM command not allowed when used memory > 'maxmemory'.";
/** As in src/cache/dead_keys.rs. */
const MOST = 1024;

describe('Cache: what the server remembers', () => {
  onDouble('a list that is read once is not remembered, one that is read again is', async (ctx) => {
    const { double, service } = ctx;
    double.other('SADD', K, 'u');
    await read(service);
    assert.deepStrictEqual(double.remembered(), []);
    await read(service);
    assert.deepStrictEqual(double.remembered(), [K]);
    double.other('UNLINK', K);
    assert.deepStrictEqual(await noHit(service), []);
    assert.deepStrictEqual(double.remembered(), []);
  });

  onDouble('empty lists are never remembered, and served from memory', async (ctx) => {
    const { double, service } = ctx;
    for (const name of ['n', 'j']) await fill(service, name);
    const counts = await counted(service, async () => {
      assert.deepStrictEqual(await ok(service, 'getMembersByChannelName', 'connector', 'n'), []);
      await hit(service, 'j');
    });
    // n on s2 and s3 was not read before.
    assert.deepStrictEqual([counts.hits, counts.misses], [2, 2]);
    assert.deepStrictEqual(double.remembered(), []);
  });

  onDouble(
    'barrier ignores empty: a key that is new without a push',
    async ({ double, service }) => {
      await fill(service);
      double.other('SADD', K, 'new');
      assert.deepStrictEqual(await noHit(service), ['new']);
    },
  );

  onDouble('barrier one sum: one key expired and another one is new', async (ctx) => {
    const { double, service } = ctx;
    double.other('SADD', K, 'u');
    await fill(service);
    await fill(service, 'j');
    double.replaceSilently(K);
    double.other('SADD', J, 'new');
    const records = [reading(service), reading(service, 'j')];
    assert.deepStrictEqual(await result(records[0]), []);
    assert.deepStrictEqual(await result(records[1]), ['new']);
  });

  onDouble('fills untracked: a list that was read once is read again', async (ctx) => {
    const { double, service } = ctx;
    double.other('SADD', K, 'old');
    await read(service);
    double.other('SADD', K, 'new');
    assert.deepStrictEqual(await noHit(service), ['new', 'old']);
  });

  onDouble('caching not sent: the word stands directly before the read', async (ctx) => {
    const { double, service } = ctx;
    double.other('SADD', K, 'old');
    await fill(service);
    double.other('SADD', K, 'new');
    assert.deepStrictEqual(await noHit(service), ['new', 'old']);
    const of = (name) => double.received.map(([, ...command]) => command.join(' ')).indexOf(name);
    const first = of(`SMEMBERS ${K}`);
    const names = double.received.slice(first + 1).map(([, ...command]) => command.join(' '));
    assert.deepStrictEqual(names.slice(0, 2), ['CLIENT CACHING YES', `SMEMBERS ${K}`]);
  });

  onDouble(
    'caching unanswered: a list is not kept if the server refused to report',
    async (ctx) => {
      const { double, service } = ctx;
      double.other('SADD', K, 'old');
      await read(service);
      double.persona.refused = { 'CLIENT CACHING': 'NOPERM no' };
      for (let i = 0; i < 3; i += 1) assert.deepStrictEqual(await noHit(service), ['old']);
      double.other('SADD', K, 'new');
      assert.deepStrictEqual(await noHit(service), ['new', 'old']);
    },
  );

  onDouble('keeps debts: a channel that another process removed in between', async (ctx) => {
    const { double, service } = ctx;
    double.other('SADD', K, 'u');
    await read(service);
    // Not remembered yet, so that no push says that it is gone.
    double.other('UNLINK', K);
    assert.deepStrictEqual(await read(service), []);
    assert.deepStrictEqual(double.remembered(), []);
    assert.deepStrictEqual(await fill(service), []);
    assert.deepStrictEqual(double.remembered(), []);
    assert.strictEqual(double.count('EVAL'), 2, 'the set-up, and once');
  });

  onDouble('a channel that is removed and read again while a push is on its way', async (ctx) => {
    const { double, service } = ctx;
    for (let round = 0; round < 20; round += 1) {
      const name = `c${round}`;
      double.other('SADD', key(name), 'u');
      await read(service, name);
      await read(service, name);
      double.other('UNLINK', key(name));
      assert.deepStrictEqual(await read(service, name), []);
    }
    assert.deepStrictEqual(double.remembered(), []);
  });

  onDouble(
    'while the server refuses the script no more than a bound is remembered',
    async (ctx) => {
      const { double, service } = ctx;
      const names = Array.from({ length: 2 * MOST }, (_, i) => `c${i}`);
      const readAll = () => Promise.all(names.map((name) => result(reading(service, name))));
      for (const name of names) double.other('SADD', key(name), 'u');
      await readAll();
      for (const name of names) double.other('UNLINK', key(name));
      double.persona.refused = { EVAL: OOM };
      await readAll();
      assert.ok(double.remembered().length > 0, 'none was remembered');
      assert.ok(double.remembered().length <= MOST, `${double.remembered().length} keys`);
      // Not at each batch.
      const before = double.count('EVAL');
      for (let i = 0; i < 100; i += 1) await read(service);
      const tries = double.count('EVAL') - before;
      assert.ok(tries < 20, `${tries} attempts in 100 batches`);
      double.persona.refused = {};
      await until(async () => {
        await read(service);
        return double.remembered().length === 0;
      }, 'the server to forget them');
    },
  );

  onDouble(
    'keys that a connection left behind are removed by the next one',
    async ({ double, service }) => {
      double.other('SADD', K, 'u');
      await read(service);
      double.other('UNLINK', K);
      double.persona.refused = { EVAL: OOM };
      await read(service);
      assert.deepStrictEqual(double.remembered(), [K]);
      const { reconnects } = service.stats();
      double.cut();
      await until(() => service.stats().reconnects > reconnects, 'the reconnect');
      double.persona.refused = {};
      await until(async () => {
        await read(service, 'j');
        return double.remembered().length === 0;
      }, 'the server to forget it');
    },
  );

  onDouble('the last read before a stop leaves nothing', async ({ double }) => {
    const service = await started(double);
    double.other('SADD', K, 'u');
    await read(service);
    double.other('UNLINK', K);
    const record = reading(service);
    await ok(service, 'stop', true);
    await record.done;
    assert.deepStrictEqual(double.remembered(), []);
  });
});
