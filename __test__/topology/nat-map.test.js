'use strict';

/**
 * Option `natMap`: the addresses that sentinels and cluster nodes announce are replaced. In the cluster they announce names that
 * cannot be resolved; by Sentinel the replaced ones lead through proxies.
 */

const assert = require('node:assert');
const { describe, it, before, after, afterEach } = require('node:test');
const { onCluster } = require('./on-cluster');
const { proxy } = require('../faults/wire');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { Group } = require('../support/sentinels');
const { create, stopAll } = require('../support/service');
const { until } = require('../support/until');

onCluster('natMap in a Redis Cluster', 120000, (ctx) => {
  const name = (server) => `node-${server.port}.invalid`;
  const table = () =>
    Object.fromEntries(
      ctx.cluster.servers.map((server) => [
        `${name(server)}:${server.port}`,
        { host: '127.0.0.1', port: server.port },
      ]),
    );
  /** Nodes announce names from now on. */
  const announce = async () => {
    for (const server of ctx.cluster.servers) {
      await server.run(0, 'config', 'set', 'cluster-announce-hostname', name(server));
      await server.run(0, 'config', 'set', 'cluster-preferred-endpoint-type', 'hostname');
    }
    const names = ctx.cluster.servers.map(name);
    const isKnown = async () =>
      (await ctx.cluster.all('cluster', 'slots'))
        .flat()
        .every(([, , ...nodes]) => nodes.every(([host]) => names.includes(host)));
    await until(isKnown, 'all nodes to know the names', 60000);
  };
  const seed = () => [`127.0.0.1:${ctx.cluster.servers[0].port}`];

  const forms = {
    'an object': () => table(),
    'an object with texts': () =>
      Object.fromEntries(
        ctx.cluster.servers.map((server) => [
          `${name(server).toUpperCase()}:${server.port}`,
          `127.0.0.1:${server.port}`,
        ]),
      ),
    'a function': () => (announced) => table()[announced],
    'an async function': () => async (announced) => {
      await new Promise(setImmediate);
      return announced.replace(/^node-\d+\.invalid/, '127.0.0.1');
    },
  };
  for (const [what, natMap] of Object.entries(forms)) {
    it(`${what}: slot maps, MOVED and ASK lead to the replaced addresses`, async () => {
      await announce();
      const service = create({ cluster: seed(), natMap: natMap(), commandTimeout: 20000 });
      await ok(service, 'start');
      const names = Array.from({ length: 20 }, (_, i) => `room ${i}`);
      await Promise.all(names.map((room) => ok(service, 'add', room, ['u', 'v'], 's1')));
      const dump = await ctx.cluster.dump();
      assert.strictEqual(Object.keys(dump).length, names.length);
      const key = 'POMELO:CHANNEL:room 7:s1';
      const owner = await ctx.cluster.owner(key);
      const [{ server: to }] = (await ctx.cluster.primaries()).filter(
        ({ server }) => server !== owner,
      );
      let member = 0;
      const before = await ctx.cluster.errors();
      await ctx.cluster.moveSlotOf(key, to, async () => {
        member += 1;
        await ok(service, 'add', 'room 7', `w${member}`, 's1');
        assert.strictEqual(
          (await ok(service, 'getMembersBySid', 'room 7', 's1')).length,
          2 + member,
        );
      });
      await ok(service, 'add', 'room 7', 'x', 's1');
      const errors = await ctx.cluster.errors();
      for (const code of ['MOVED', 'ASK']) {
        assert.ok((errors[code] || 0) > (before[code] || 0), `${code}: ${JSON.stringify(errors)}`);
      }
      assert.strictEqual((await ctx.cluster.members(key)).length, 3 + member);
      assert.strictEqual(service.stats().reconnects, 0);
    });
  }

  it('without it such a cluster cannot be reached', async () => {
    await announce();
    await logged(async () => {
      const { err } = await call(create({ cluster: seed(), startTimeout: 500 }), 'start');
      assert.match(`${err && err.cause}`, /node node-\d+\.invalid:\d+ .*/);
    });
  });

  it('what the function throws, and an answer that is none, are the reason why start fails', async () => {
    await announce();
    for (const [natMap, words] of [
      [
        () => {
          throw new Error('no such node');
        },
        /option natMap: the function failed: no such node$/,
      ],
      [
        () => ({ hots: 'h' }),
        /option natMap: what the function returned has an unknown field "hots".*, for node-\d+\.invalid:\d+$/,
      ],
    ]) {
      let err;
      const lines = await logged(async () => {
        const service = create({ cluster: seed(), natMap, startTimeout: 500 });
        ({ err } = await call(service, 'start'));
      });
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNREACHABLE');
      assert.match(err.cause.message, words);
      assert.ok(lines.length > 0);
    }
  });
});

describe('natMap by Sentinel', { timeout: 180000 }, () => {
  let group;
  const proxies = new Map();
  before(async () => {
    group = await Group.start();
    for (const { port } of [...group.servers, ...group.sentinels]) {
      proxies.set(port, await proxy(port));
    }
  });
  after(async () => {
    await stopAll();
    for (const wire of proxies.values()) await wire.close();
    if (group) await group.stop();
  });
  afterEach(stopAll);

  const links = ({ port }) => proxies.get(port).links.length;
  const forms = {
    'an object': () =>
      Object.fromEntries(
        [...proxies].map(([port, wire]) => [`127.0.0.1:${port}`, `127.0.0.1:${wire.port}`]),
      ),
    'a function': () => async (announced) => {
      const wire = proxies.get(Number(announced.split(':').pop()));
      return wire && { host: '127.0.0.1', port: wire.port };
    },
  };
  for (const [what, natMap] of Object.entries(forms)) {
    it(`${what}: the primary, the next one, and sentinels that are not listed`, async () => {
      const before = await group.primary();
      const [listed, ...others] = group.sentinels;
      const counts = new Map([...group.servers, ...others].map((each) => [each, links(each)]));
      const more = (server) => links(server) - counts.get(server);
      const service = create(
        group.options({
          // Through its proxy too: one sentinel is listened to once.
          sentinels: [`127.0.0.1:${proxies.get(listed.port).port}`],
          natMap: natMap(),
          commandTimeout: 60000,
        }),
      );
      await logged(async () => {
        await ok(service, 'start');
        await ok(service, 'add', 'n', 'u', 's1');
        await group.untilHeard(1);
        assert.ok(more(before) >= 1, 'the primary, through its proxy');
        assert.ok(
          others.every((each) => more(each) >= 1),
          'the others, through theirs',
        );
        const direct = (await before.clients()).filter(({ flags }) => flags === 'N');
        const through = [...proxies.get(before.port).links].map(({ server }) => server.localPort);
        const strangers = direct.filter(
          ({ addr, cmd }) =>
            /sadd|smembers/.test(cmd) && !through.includes(Number(addr.split(':').pop())),
        );
        assert.deepStrictEqual(strangers, []);
        await group.failOver();
        const next = await group.nextPrimary(before);
        await ok(service, 'add', 'n', 'v', 's1');
        assert.ok(more(next) >= 1, 'the next primary, through its proxy');
        await group.heal();
      });
    });
  }

  it('what the function throws is the reason why start fails, and is retried', async () => {
    let calls = 0;
    const natMap = () => {
      calls += 1;
      throw new Error('not in the map');
    };
    let err;
    await logged(async () => {
      const service = create(group.options({ natMap, startTimeout: 1000 }));
      ({ err } = await call(service, 'start'));
    });
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNREACHABLE');
    assert.match(err.cause.message, /option natMap: the function failed: not in the map/);
    assert.ok(calls > 1);
  });
});
