'use strict';

/**
 * Option `db` with a cluster of Valkey 9, which has several databases: everything works in the one that is selected, slots that
 * move included. That Redis refuses another one than 0 is in cluster.test.js.
 */

const assert = require('node:assert');
const { describe, it, before, after, afterEach } = require('node:test');
const { serverProgram } = require('../../scripts/servers');
const cli = require('../support/cli');
const clusters = require('../support/cluster');
const { call, eachMethod, ok } = require('../support/call');
const { create, started, stopAll } = require('../support/service');
const { pause } = require('../support/until');

const DB = 3;

describe('a cluster with databases', { timeout: 120000 }, () => {
  let cluster;
  before(async () => {
    const program = serverProgram('valkey');
    cluster = await clusters.start({ program, args: ['--cluster-databases', 4] });
  });
  afterEach(stopAll);
  after(() => cluster && cluster.close());

  const at = async (db) => {
    const lists = (await cluster.primaries()).map(({ server }) => server.keys(db));
    return (await Promise.all(lists)).flat().sort();
  };

  it('all methods work in it, and leave the others alone', async () => {
    const other = await started(cluster, { db: 0 });
    await ok(other, 'add', 'n', 'other', 's1');
    const service = await started(cluster, { db: DB });
    await eachMethod(async (method, args) => {
      const { err } = await call(service, method, ...args);
      assert.strictEqual(err, null, method);
    });
    const names = Array.from({ length: 20 }, (_, i) => `room ${i}`);
    await Promise.all(names.map((name) => ok(service, 'add', name, ['u', 'v'], 's1')));
    const keys = names.map((name) => `POMELO:CHANNEL:${name}:s1`).sort();
    assert.deepStrictEqual(await at(DB), keys);
    assert.deepStrictEqual(await at(0), ['POMELO:CHANNEL:n:s1']);
    await ok(service, 'clean');
    assert.deepStrictEqual([await at(DB), await at(0)], [[], ['POMELO:CHANNEL:n:s1']]);
  });

  it('calls take effect in order while slots move, and after connections were cut', async () => {
    const service = await started(cluster, { db: DB, commandTimeout: 30000 });
    const nodes = (await cluster.primaries()).map(({ server }) => server);
    for (const to of nodes) {
      const calls = [];
      const add = async () => {
        calls.push(call(service, 'add', 'c', `u${calls.length}`, 's1'));
        await pause(5);
      };
      await cluster.moveSlotOf('POMELO:CHANNEL:c:s1', to, add, 1, DB);
      await Promise.all(nodes.map((server) => server.killClients()));
      await add();
      const answers = await Promise.all(calls);
      for (const { err } of answers) assert.ifError(err);
      const uids = answers.map((_, i) => `u${i}`).sort();
      assert.deepStrictEqual((await ok(service, 'getMembersBySid', 'c', 's1')).sort(), uids);
      await ok(service, 'destroyChannel', 'c');
    }
  });

  it('list reads it', async () => {
    const service = await started(cluster, { db: DB });
    await ok(service, 'add', 'listed', 'u', 's1');
    const [{ port }] = cluster.servers;
    const { stdout } = await cli.run(['list', '--from', `redis+cluster://127.0.0.1:${port}/${DB}`]);
    assert.strictEqual(stdout, '{"key":"POMELO:CHANNEL:listed:s1","members":["u"]}\n');
  });

  it('one that it does not have makes start fail', async () => {
    const { err } = await call(create(cluster.options({ db: 4 })), 'start');
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_STORE');
    assert.match(err.message, /DB index is out of range \(option db: .*cluster-databases/);
  });
});
