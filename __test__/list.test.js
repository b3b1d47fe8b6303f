'use strict';

/** `npx pome-globalchannel list`, and `listStore` beneath it, with which the tests read a store. */

const assert = require('node:assert');
const { describe, it, before, beforeEach, after } = require('node:test');
const cli = require('./support/cli');
const redisServer = require('./support/redis');
const { readStore } = require('./support/stores');

/** Of all tests together. What hangs has a deadline of its own. */
const TIMEOUT = 120000;

describe('list', { timeout: TIMEOUT }, () => {
  let redis;
  let address;
  before(async () => {
    redis = await redisServer.start();
    address = `redis://127.0.0.1:${redis.port}/3`;
  });
  beforeEach(() => redis.flush());
  after(() => redis.stop());

  it('prints a line of JSON for each channel under the prefix', async () => {
    await redis.run(3, 'sadd', 'POMELO:CHANNEL:a:c', 'u2', 'u1');
    await redis.run(3, 'sadd', 'POMELO:CHANNEL:"b":c', Buffer.from([0xff]));
    await redis.run(3, 'sadd', 'P:a:c', 'x');
    await redis.run(3, 'set', 'P:b:c', 'x');
    const { code, stdout, stderr } = await cli.run(['list', '--from', address]);
    assert.deepStrictEqual([code, stderr], [0, '']);
    assert.deepStrictEqual(stdout.split('\n').sort(), [
      '',
      '{"key":"POMELO:CHANNEL:\\"b\\":c","members":["\ufffd"]}',
      '{"key":"POMELO:CHANNEL:a:c","members":["u1","u2"]}',
    ]);
    const other = await cli.run(['list', '--from', address, '--prefix', 'P']);
    assert.strictEqual(other.stdout, '{"key":"P:a:c","members":["x"]}\n');
  });

  it('takes a url of Valkey, in any case', async () => {
    await redis.run(3, 'sadd', 'POMELO:CHANNEL:a:c', 'u');
    for (const scheme of ['valkey', 'Redis', 'VALKEY']) {
      const from = address.replace('redis:', `${scheme}:`);
      const { code, stdout } = await cli.run(['list', '--from', from]);
      assert.deepStrictEqual([code, JSON.parse(stdout).members], [0, ['u']]);
    }
  });

  it('prints nothing for an empty store', async () => {
    const { code, stdout } = await cli.run(['list', '--from', address]);
    assert.deepStrictEqual([code, stdout], [0, '']);
  });

  it('ends quietly when its reader closes the pipe', async () => {
    const uids = Array.from({ length: 1000 }, (_, i) => `user-${i}`);
    for (let i = 0; i < 500; i += 1) await redis.run(3, 'sadd', `POMELO:CHANNEL:${i}:c`, ...uids);
    const { child, ended } = cli.start(['list', '--from', address]);
    child.stdout.once('data', () => child.stdout.destroy());
    const { code, stderr } = await ended;
    assert.deepStrictEqual([code, stderr], [0, '']);
  });

  it('readStore gives all channels, some of them large, with their members', async () => {
    const uids = Array.from({ length: 5000 }, (_, i) => `user-${i}`);
    await redis.run(3, 'sadd', 'POMELO:CHANNEL:large:c', ...uids);
    const adding = Array.from({ length: 2500 }, (_, i) =>
      redis.run(3, 'sadd', `POMELO:CHANNEL:${i}:c`, i, 'all'),
    );
    await Promise.all(adding);
    assert.deepStrictEqual(await readStore(address), await redis.dump(3));
  });

  it('readStore with null for a prefix gives the channels of every prefix', async () => {
    await redis.run(3, 'sadd', 'OTHER:n:c', 'u');
    const found = await readStore(address, null);
    assert.deepStrictEqual(found, await redis.dump(3));
    assert.deepStrictEqual(found['OTHER:n:c'], ['u']);
    await redis.run(3, 'del', 'OTHER:n:c');
  });

  it('readStore rejects when the store is not there', async () => {
    const port = await redisServer.freePort();
    await assert.rejects(readStore(`redis://127.0.0.1:${port}`), {
      code: 'ERR_GLOBAL_CHANNEL_UNREACHABLE',
    });
    await assert.rejects(readStore('nowhere'), { code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT' });
  });
});
