'use strict';
/**
 * The commands of README's section "Operate", run in the folder of an app with the packed package: a real cluster whose master
 * has the scrape point, and a real Prometheus. Its figures are those that the clients counted, a server that dies, or hangs, is
 * missed, and one whose events are late has an alert. Skipped where there is no Prometheus; Grafana is started where there is one.
 */

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { before, after, describe } = require('node:test');
const { assertGot, end, join, ours, push } = require('./support');
const { which } = require('../../scripts/lib/process');
const { startCluster } = require('../../demo/cluster');
const { Client } = require('../../demo/client');
const { operateCommands, inApp } = require('./operate');
const { freePorts } = require('../support/ports');
const { pause, until } = require('../support/until');
const { FAMILIES } = require('../../lib/metrics/families');

const MISSING = !which('prometheus') && 'there is no prometheus on PATH';
const PATIENCE = 30000;
const PUSHES = 5;

const GRAFANA_LOGIN = `Basic ${Buffer.from('admin:admin').toString('base64')}`;

/** Panels about options that this cluster does not have, and about errors. */
const WITHOUT_DATA = new Set(['Errors by code', 'Members removed, by reason']);

const APPS = {
  pomelo: {},
  pinus: { app: path.join(__dirname, 'pinus-app') },
};

function get(port, url, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path: url, headers }, (response) => {
      let body = '';
      response.on('data', (part) => (body += part));
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    request.on('error', reject);
  });
}

// WHOLE=1: both frameworks, which share all of this but the names of pomelo-admin.
const TESTED = process.env.WHOLE ? Object.keys(APPS) : ['pomelo'];

for (const framework of TESTED) {
  const options = APPS[framework];
  describe(`metrics of a ${framework} cluster`, { skip: MISSING }, () => {
    let cluster;
    let clients;
    let port;
    let prometheus;
    let app;

    before(async () => {
      [port, prometheus] = await freePorts(2);
      const { install, copy } = operateCommands();
      app = inApp();
      app.run(install.replace(app.packageName, app.tarball));
      app.run(copy);
      cluster = await startCluster({
        ...options,
        connectors: 2,
        chats: 1,
        globalChannel: { sessions: true, events: true },
        extension: path.join(__dirname, 'events/extension.js'),
        env: { METRICS_PORT: String(port), GLOBALCHANNEL_PLUGIN: app.installed },
      });
      const at = (n) => cluster.connectors[n % 2];
      clients = await Promise.all(
        [0, 1, 2, 3].map((n) => Client.connect(at(n), `u${n}`, 'chat-1')),
      );
      await cluster.ask('chat-1', 'follow', 'metrics');
      startPrometheus();
      await until(() => query('up'), 'Prometheus', PATIENCE);
    });

    after(async () => {
      await end(cluster, clients || []);
      app?.remove();
    });

    /** As README says, but on other ports, and without waiting 10 s for a sample. */
    function startPrometheus() {
      const file = path.join(app.folder, 'operate/prometheus.yml');
      const text = fs.readFileSync(file, 'utf8');
      assert.match(text, /127\.0\.0\.1:9464/);
      fs.writeFileSync(
        file,
        text.replace('127.0.0.1:9464', `127.0.0.1:${port}`).replaceAll(/: 10s/g, ': 1s'),
      );
      const command = operateCommands().prometheus.replace(/ &$/, '');
      const more = `--storage.tsdb.path=tsdb --web.listen-address=127.0.0.1:${prometheus}`;
      const line = `cd '${app.folder}' && exec ${command} ${more}`;
      cluster.processes.start('prometheus', which('sh'), ['-c', line]);
    }

    /** The value of an expression now; undefined without one. */
    async function query(expression) {
      const url = `/api/v1/query?query=${encodeURIComponent(expression)}`;
      const answer = await get(prometheus, url).catch(() => undefined);
      if (answer?.status !== 200) return undefined;
      const [first] = JSON.parse(answer.body).data.result;
      return first && Number(first.value[1]);
    }

    const becomes = (expression, value) =>
      until(
        async () => (await query(expression)) === value,
        `${expression} to be ${value}`,
        PATIENCE,
      );

    ours('promtool finds nothing wrong; other hosts, paths and methods are refused', async () => {
      const { status, body } = await get(port, '/metrics');
      assert.strictEqual(status, 200);
      const checked = spawnSync(which('promtool'), ['check', 'metrics'], { input: body });
      assert.deepStrictEqual([checked.status, String(checked.stderr)], [0, '']);
      assert.strictEqual((await get(port, '/metrics', { host: 'evil.example' })).status, 403);
      assert.strictEqual((await get(port, '/')).status, 404);
    });

    ours('what Prometheus has is what the clients counted', async () => {
      await join(clients, 'metrics');
      const pushes = await push(cluster, 'chat-1', 'metrics', PUSHES);
      await assertGot(clients, pushes);
      const name = (metric) => `globalchannel_${metric}`;
      await becomes(`sum(${name('pushes_total')}{server="chat-1"})`, PUSHES);
      await becomes(`sum(${name('push_rpcs_total')}{result="answered"})`, 2 * PUSHES);
      await becomes(`sum(${name('command_duration_seconds_count')}{method="add"})`, clients.length);
      await becomes(`sum(${name('users')})`, clients.length);
      await becomes(`sum(${name('event_lag_seconds_count')}{server="chat-1"})`, clients.length);
      await becomes(`count(${name('lease_held')} == 1)`, 2);
      // The master of these apps has the plugin, too.
      await becomes(`count(${name('connected')} == 1)`, 4);
      const way = '{server_type="connector",way!="framework"}';
      const sent = () => query(`sum(${name('fanout_messages_total')}${way})`);
      await until(async () => (await sent()) >= PUSHES * clients.length, 'the fan-out', PATIENCE);
    });

    ours('each expression of the dashboard and of the alerts is about what is there', async () => {
      const rules = path.join(app.folder, 'operate/alerts.yml');
      const checked = spawnSync(which('promtool'), ['check', 'rules', rules]);
      assert.strictEqual(checked.status, 0, String(checked.stderr));
      const dashboard = path.join(app.folder, 'operate/grafana-dashboard.json');
      const { panels } = JSON.parse(fs.readFileSync(dashboard));
      for (const { title, targets } of panels.filter((panel) => !WITHOUT_DATA.has(panel.title))) {
        for (const { expr } of targets) {
          const filled = expr.replaceAll('$__rate_interval', '1m').replaceAll('$server', '.*');
          // A rate takes two scrapes.
          const has = async () => (await query(filled)) !== undefined;
          await until(has, `${title}: ${filled}`, PATIENCE);
        }
      }
      const loaded = await get(prometheus, '/api/v1/rules');
      assert.ok(JSON.parse(loaded.body).data.groups.length > 0, 'Prometheus has the alerts');
      const text = fs.readFileSync(rules, 'utf8') + JSON.stringify(panels);
      const families = FAMILIES.map(({ name }) => name).concat('globalchannel_silent_servers');
      const named = new Set(text.match(/globalchannel_\w+/g));
      const unknown = [...named].filter((name) => !families.includes(name.replace(/_bucket$/, '')));
      assert.deepStrictEqual(unknown, []);
    });

    ours('an alert says that a server has its events late', async () => {
      const { child } = cluster.servers.get('chat-1');
      child.kill('SIGSTOP');
      await cluster.ask('connector-1', 'flood', 'metrics', 'connector-1', 2, 1, 5);
      await pause(1500);
      child.kill('SIGCONT');
      // It fires when it has been so for 5 minutes; until then it is pending.
      await becomes('count(ALERTS{alertname="GlobalChannelEventsLate",server="chat-1"})', 1);
    });

    ours('Grafana has the dashboard', async (t) => {
      if (!which('grafana')) return t.skip('there is no grafana on PATH');
      const [grafana] = await freePorts(1);
      const line = `cd '${app.folder}' && GF_SERVER_HTTP_PORT=${grafana} ${operateCommands().grafana}`;
      cluster.processes.start('grafana', which('sh'), ['-c', line]);
      const search = () => get(grafana, '/api/search?query=pome', { authorization: GRAFANA_LOGIN });
      const has = async () => (await search().catch(() => ({ body: '' }))).body.includes('pome-');
      await until(has, 'the dashboard', PATIENCE);
    });

    ours(
      'a server that hangs is silent, and holds up no other; one that is killed is missed',
      async () => {
        const { pid } =
          cluster.servers.get('connector-2').child ?? cluster.servers.get('connector-2');
        process.kill(pid, 'SIGSTOP');
        await becomes('globalchannel_silent_servers', 1);
        await becomes('count(globalchannel_connected == 1)', 3);
        process.kill(pid, 'SIGCONT');
        await becomes('globalchannel_silent_servers', 0);
        await cluster.stopServer('connector-2', 'SIGKILL');
        await becomes('count(globalchannel_connected == 1)', 3);
        await becomes('globalchannel_silent_servers', 0);
      },
    );
  });
}
