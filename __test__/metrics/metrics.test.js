'use strict';

/**
 * The metrics for Prometheus: what `metricsText` and a registry of the app's prom-client show is what `stats()` and the callbacks
 * say, with prom-client 13, 14 and 15. In a real cluster, scraped by a real Prometheus, they are in pomelo-cluster/.
 */

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { FAMILIES } = require('../../lib/metrics/families');
const { createApp } = require('../support/app');
const { call, ok } = require('../support/call');
const { create, started } = require('../support/service');
const { stores, ours } = require('../support/rows');
const parse = require('./exposition');

const CLIENTS = ['prom-client-13', 'prom-client-14', 'prom-client'];

const FRONTENDS = [
  { id: 's1', serverType: 'connector' },
  { id: 's2', serverType: 'connector' },
];

/** An app whose RPC to s2 fails. */
function appOf() {
  const rpc = (sid, msg, cb) => setImmediate(cb, sid === 's2' ? new Error('no') : null, []);
  return createApp({ servers: FRONTENDS, rpc });
}

/** Calls of several methods, with an error, and a push of which one RPC fails. */
async function work(service) {
  await Promise.all(['u', 'v', 'w'].map((uid) => ok(service, 'add', 'n', uid, 's1')));
  await ok(service, 'add', 'n', 'x', 's2');
  for (let i = 0; i < 3; i += 1) await ok(service, 'getMembersBySid', 'n', 's1');
  await call(service, 'add', undefined, 'u', 's1');
  const { args } = await call(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
  assert.deepStrictEqual(args, [null, ['x']]);
}

stores('metrics', (ctx) => {
  ours('docs/OPERATE.md has each of them, with its type, and no other', () => {
    const text = fs.readFileSync(path.join(__dirname, '../../docs/OPERATE.md'), 'utf8');
    const rows = [...text.matchAll(/^\| `(\w+)` +\| (\w+) +\|/gm)].map(([, ...row]) => row);
    assert.deepStrictEqual(
      rows,
      FAMILIES.map(({ name, type }) => [name.replace('globalchannel_', ''), type]),
    );
  });

  ours('the text: each figure is that of stats(), with its type', async () => {
    const service = await started(ctx.store, {}, appOf());
    await work(service);
    const { types, samples } = parse(service.metricsText({ server: 'chat-1' }));
    const stats = service.stats();
    const of = (name, labels = '') => samples[`globalchannel_${name}{${labels}server="chat-1"}`];
    const { version } = require('../../package.json');
    assert.strictEqual(of('build_info'), undefined);
    assert.strictEqual(
      samples[`globalchannel_build_info{server="chat-1",version="${version}"}`],
      1,
    );
    assert.strictEqual(of('connected'), 1);
    assert.strictEqual(of('commands_total', 'method="add",'), stats.commands.add);
    assert.strictEqual(of('pushes_total'), 1);
    assert.strictEqual(of('push_failed_uids_total'), 1);
    assert.strictEqual(of('batches_total'), stats.batches);
    assert.strictEqual(of('cache_hits_total'), stats.cache.hits);
    assert.strictEqual(of('cache_misses_total'), stats.cache.misses);
    const result = (text) =>
      samples[`globalchannel_push_rpcs_total{result="${text}",server="chat-1"}`];
    assert.deepStrictEqual(
      ['answered', 'failed', 'timed_out', 'departed'].map(result),
      [1, 1, 0, 0],
    );
    for (const [code, count] of Object.entries(stats.errors)) {
      assert.strictEqual(of('errors_total', `code="${code}",`), count);
    }
    for (const [name, type] of Object.entries(types)) {
      assert.match(name, /^globalchannel_[a-z_]+$/);
      assert.strictEqual(type === 'counter', name.endsWith('_total'), name);
    }
  });

  ours('what is rare has the figures and labels of its own', () => {
    const service = create(ctx.store.options(), appOf());
    const stats = service.stats();
    const figures = {
      pushRpcs: { answered: 1, failed: 2, timedOut: 3, departed: 4 },
      fanOut: { native: 5, shared: 6, framework: 7, slowDropped: 8, slowClosed: 9 },
      membership: {
        leaves: { close: 10, reconcile: 11, stop: 12, purge: 13 },
        purgeLag: 1400,
        scan: { duration: 1500 },
      },
    };
    service.stats = () => ({ ...stats, ...figures });
    const { samples } = parse(service.metricsText());
    const of = (name, label, ...values) =>
      values.map((value) => samples[`globalchannel_${name}{${label}="${value}"}`]);
    const results = ['answered', 'failed', 'timed_out', 'departed'];
    assert.deepStrictEqual(of('push_rpcs_total', 'result', ...results), [1, 2, 3, 4]);
    const ways = ['native', 'shared', 'framework'];
    assert.deepStrictEqual(of('fanout_messages_total', 'way', ...ways), [5, 6, 7]);
    assert.deepStrictEqual(of('fanout_slow_total', 'action', 'drop', 'close'), [8, 9]);
    const reasons = ['close', 'reconcile', 'stop', 'purge'];
    assert.deepStrictEqual(of('members_purged_total', 'reason', ...reasons), [10, 11, 12, 13]);
    assert.strictEqual(samples.globalchannel_purge_lag_seconds, 1.4);
    assert.strictEqual(samples.globalchannel_scan_duration_seconds, 1.5);
  });

  ours('the histogram counts each answered call of a method once, in one bucket', async () => {
    const service = await started(ctx.store, {}, appOf());
    const before = performance.now();
    await work(service);
    const name = 'globalchannel_command_duration_seconds';
    // Its parts are not calls.
    const two = ['s1', 's2'].map((sid) => ({ uid: 'many', sid }));
    await ok(service, 'addMany', 'n', two);
    const took = (performance.now() - before) / 1000;
    const { samples } = parse(service.metricsText());
    const expected = { add: 4, addMany: 1, getMembersBySid: 3, pushMessage: 1 };
    for (const [method, count] of Object.entries(expected)) {
      const label = `method="${method}"`;
      assert.strictEqual(samples[`${name}_count{${label}}`], count);
      assert.strictEqual(samples[`${name}_bucket{le="+Inf",${label}}`], count);
      const sum = samples[`${name}_sum{${label}}`];
      assert.ok(sum > 0 && sum <= took * count, `${sum} s in ${took} s`);
      const buckets = service.stats().latency.methods[method].buckets;
      assert.deepStrictEqual(
        buckets,
        [...buckets].sort((a, b) => a - b),
      );
    }
    const methods = Object.keys(service.stats().latency.methods);
    assert.deepStrictEqual(methods.sort(), Object.keys(expected).sort());
  });

  for (const name of CLIENTS) {
    ours(`${name}: the registry shows the same as the text`, async () => {
      const { Registry, ...client } = require(name);
      const register = new Registry();
      const service = await started(ctx.store, {}, appOf());
      await work(service);
      const unregister = service.registerMetrics({ client, register, labels: { server: 'c' } });
      const shown = parse(await register.metrics());
      const { types, samples } = parse(service.metricsText({ server: 'c' }));
      assert.deepStrictEqual(shown.samples, samples);
      // It also shows the types of those that have no samples.
      assert.deepStrictEqual({ ...shown.types, ...types }, shown.types);
      register.resetMetrics();
      assert.deepStrictEqual(parse(await register.metrics()), shown);
      unregister();
      assert.strictEqual((await register.metrics()).trim(), '');
      unregister();
    });

    ours(`${name}: a registry that was cleared, and one with a name of the app's`, async () => {
      const { Registry, Gauge } = require(name);
      const register = new Registry();
      const service = create(ctx.store.options());
      const first = service.registerMetrics({ register });
      register.clear();
      const unregister = service.registerMetrics({ register });
      assert.ok((await register.metrics()).includes('globalchannel_connected'));
      unregister();
      first();
      const taken = new Gauge({ name: 'globalchannel_users', help: 'h', registers: [register] });
      assert.throws(() => service.registerMetrics({ register }), /globalchannel_users/);
      assert.strictEqual(register.getSingleMetric('globalchannel_users'), taken);
      assert.strictEqual(register.getSingleMetric('globalchannel_connected'), undefined);
    });

    ours(`${name}: two services of one registry have a label instance`, async () => {
      const { Registry } = require(name);
      const register = new Registry();
      const [first, second] = [await started(ctx.store), await started(ctx.store)];
      const unregister = first.registerMetrics({ register });
      second.registerMetrics({ register, labels: { instance: 'lobby' } });
      await ok(second, 'add', 'n', 'u', 's1');
      const adds = async () => {
        const { samples } = parse(await register.metrics());
        return Object.entries(samples).filter(([key]) => /commands_total.*"add"/.test(key));
      };
      assert.deepStrictEqual(await adds(), [
        ['globalchannel_commands_total{instance="1",method="add"}', 0],
        ['globalchannel_commands_total{instance="lobby",method="add"}', 1],
      ]);
      unregister();
      const [[left]] = await adds();
      assert.strictEqual(left, 'globalchannel_commands_total{instance="lobby",method="add"}');
    });
  }

  ours(
    'the fan-out is that of the app: once in a registry, however many of its services',
    async () => {
      const { Registry } = require('prom-client');
      const register = new Registry();
      const app = appOf();
      const [first, second] = [create(ctx.store.options(), app), create(ctx.store.options(), app)];
      const other = create(ctx.store.options(), appOf());
      const ways = async () => {
        const { samples } = parse(await register.metrics());
        return Object.keys(samples).filter((key) => /fanout_messages.*native/.test(key));
      };
      const of = (labels) => `globalchannel_fanout_messages_total{${labels}way="native"}`;
      const unregister = first.registerMetrics({ register, labels: { server: 'c' } });
      second.registerMetrics({ register, labels: { server: 'c' } });
      assert.deepStrictEqual(await ways(), [of('server="c",')]);
      unregister();
      assert.deepStrictEqual(await ways(), [of('server="c",')]);
      other.registerMetrics({ register });
      assert.deepStrictEqual(await ways(), [of('instance="2",server="c",'), of('instance="3",')]);
      for (const each of [first, second]) assert.ok(of('') in parse(each.metricsText()).samples);
    },
  );

  ours('prom-client 15 with OpenMetrics: counters keep their names', async () => {
    const { Registry } = require('prom-client');
    const register = new Registry(Registry.OPENMETRICS_CONTENT_TYPE);
    const service = create(ctx.store.options());
    service.registerMetrics({ register });
    for (let scrape = 0; scrape < 2; scrape += 1) {
      const text = await register.metrics();
      assert.match(text, /^globalchannel_commands_total\{method="add"\} 0$/m);
      assert.ok(!text.includes('_total_total'));
    }
  });

  ours('hostile texts in labels are escaped; wrong arguments are named', async () => {
    const service = create(ctx.store.options());
    const hostile = 'a"b\\c\nd';
    const text = service.metricsText({ server: hostile });
    assert.match(text, /globalchannel_connected\{server="a\\"b\\\\c\\nd"\} 0\n/);
    const { Registry } = require('prom-client');
    const register = new Registry();
    service.registerMetrics({ register, labels: { server: hostile } });
    assert.deepStrictEqual(parse(await register.metrics()).samples, parse(text).samples);
    const refused = (run, words) =>
      assert.throws(run, { code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT', message: words });
    for (const labels of ['x', 1, [], { '1a': 'x' }, { __a: 'x' }, { method: 'x' }, { le: 'x' }]) {
      refused(() => service.metricsText(labels), /labels/);
      refused(() => service.registerMetrics({ register, labels }), /labels/);
    }
    refused(() => service.metricsText({ a: {} }), /labels.*"a"/);
    for (const options of [undefined, null, 1, {}, { client: {} }, { register: {} }]) {
      refused(() => service.registerMetrics(options), /client.*register/);
    }
  });

  ours('a stopped service shows its last figures', async () => {
    const service = await started(ctx.store, {}, appOf());
    await work(service);
    await call(service, 'stop', true);
    const { samples } = parse(service.metricsText());
    assert.strictEqual(samples.globalchannel_connected, 0);
    assert.strictEqual(samples['globalchannel_commands_total{method="add"}'], 4);
  });
});
