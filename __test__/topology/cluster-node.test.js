'use strict';

/**
 * A node of a Redis Cluster given as `host` and `port`, without option `cluster`: refused, unless it has all keys. Option
 * `cluster` itself is in cluster.test.js.
 */

const assert = require('node:assert');
const { describe, it, before, after, afterEach } = require('node:test');
const { call, ok } = require('../support/call');
const cli = require('../support/cli');
const clusters = require('../support/cluster');
const { LEAST } = require('../support/rights');
const { create, started, stopAll } = require('../support/service');
const { until } = require('../support/until');
const { onCluster } = require('./on-cluster');

const TIMEOUT = 120000;
const HINT = /the server is a node of a Redis Cluster: give nodes of the cluster as option cluster/;

/** `start` fails at once and says why. */
async function refused(opts) {
  const service = create(opts);
  const { err, argc, ms } = await call(service, 'start');
  assert.ok(err, `${JSON.stringify(opts)} was accepted`);
  assert.deepStrictEqual([err.code, argc], ['ERR_GLOBAL_CHANNEL_STORE', 1]);
  assert.match(err.message, HINT);
  assert.ok(ms < 5000, `${ms} ms`);
  assert.strictEqual(service.state, 0);
}

const at = ({ port }, more) => ({ host: '127.0.0.1', port, ...more });

onCluster('a node of a Redis Cluster', TIMEOUT, (ctx) => {
  it('is refused at start, primary or replica, and nothing is removed', async () => {
    const service = await ctx.connected();
    const names = Array.from({ length: 20 }, (_, i) => `room ${i}`);
    await Promise.all(names.map((name) => ok(service, 'add', name, 'u', 's1')));
    const before = await ctx.cluster.dump();
    for (const server of ctx.cluster.servers) {
      await refused(at(server, { cleanOnStartUp: true }));
      await refused(at(server, { cache: false, cleanOnStartUp: true }));
      await refused({ url: `redis://127.0.0.1:${server.port}`, hashTag: true });
    }
    assert.deepStrictEqual(await ctx.cluster.dump(), before);
  });

  it('is refused too where the user has no right to ask for the mode', async () => {
    const rights = LEAST.filter((right) => right !== '+info');
    await ctx.cluster.all('acl', 'setuser', 'gc', 'on', '>secret', '~POMELO:CHANNEL:*', ...rights);
    for (const cache of [true, false]) {
      await refused(at(ctx.cluster.servers[0], { username: 'gc', password: 'secret', cache }));
    }
  });

  it('is used where a hash tag in the prefix keeps all keys on it', async () => {
    const owner = await ctx.cluster.owner('{app}');
    const prefix = '{app}';
    const service = await started(owner, { prefix });
    await ok(service, 'add', 'n', 'u', 's1');
    await ok(service, 'add', 'm', 'u', 's2');
    assert.deepStrictEqual(await owner.keys(), ['{app}:m:s2', '{app}:n:s1']);
    await ok(service, 'clean');
    assert.deepStrictEqual(await owner.keys(), []);
    const others = await ctx.cluster.primaries();
    for (const { server } of others.filter((each) => each.server !== owner)) {
      await refused(at(server, { prefix }));
    }
  });

  it('is refused by the command line', async () => {
    const { port } = ctx.cluster.servers[0];
    for (const args of [[], ['--prefix', 'P']]) {
      const from = `redis://127.0.0.1:${port}`;
      const { code, stdout, stderr } = await cli.run(['list', '--from', from, ...args]);
      assert.deepStrictEqual([code, stdout], [1, '']);
      assert.match(stderr, /a node of a Redis Cluster/);
    }
  });
});

describe('a Redis Cluster of one node', { timeout: TIMEOUT }, () => {
  let cluster;
  before(async () => {
    cluster = await clusters.alone();
  });
  afterEach(stopAll);
  after(() => cluster && cluster.close());

  it('is used, except for commands with several keys', async () => {
    const [server] = cluster.servers;
    for (const cache of [true, false]) {
      const service = await started(server, { cache, cleanOnStartUp: true });
      await ok(service, 'add', 'n', ['u', 'v'], 's1');
      assert.deepStrictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).sort(), ['u', 'v']);
      await ok(service, 'clean');
      assert.deepStrictEqual(await server.keys(), []);
      const { err } = await call(service, 'destroyChannel', 'n');
      assert.match(err.message, /^CROSSSLOT /);
      assert.match(err.message, HINT);
    }
    const service = await started({ options: () => cluster.options() });
    await ok(service, 'destroyChannel', 'n');
  });

  it('gives errors when it no longer has all slots, clean too', async () => {
    const [server] = cluster.servers;
    const service = await started(server, { commandTimeout: 2000 });
    const names = Array.from({ length: 40 }, (_, i) => `room ${i}`);
    await Promise.all(names.map((name) => ok(service, 'add', name, 'u', 's1')));
    await cluster.add();
    const nodes = await cluster.nodes();
    const [from, to] = cluster.servers.map((each) => nodes.find((node) => node.server === each));
    await cluster.reshard(from, to, 8192);

    const answers = await Promise.all(names.map((name) => call(service, 'add', name, 'w', 's1')));
    const errors = answers.map(({ err }) => err).filter(Boolean);
    assert.ok(errors.length > 0 && errors.length < names.length, `${errors.length} errors`);
    for (const err of errors) assert.match(`${err.message} ${err.cause || ''}`, HINT);

    // One key, so that nothing but the others' stands in the way of a clean.
    await cluster.empty();
    const name = names[answers.findIndex(({ err }) => !err)];
    await ok(service, 'add', name, 'u', 's1');
    const { err } = await call(service, 'clean');
    assert.match(String(err && `${err.message} ${err.cause || ''}`), HINT);

    await server.run(0, 'client', 'kill', 'type', 'normal');
    await until(async () => {
      const { err } = await call(service, 'add', 'n', 'u', 's1');
      return err && err.cause && HINT.test(err.cause);
    }, 'the reason why there is no connection');
  });
});
