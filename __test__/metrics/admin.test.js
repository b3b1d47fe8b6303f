'use strict';

/**
 * Module `globalChannel` of pomelo-admin: what it answers, and what it must not answer. With a scripted master; in real
 * clusters it is tested by pomelo-cluster/metrics.test.js.
 */

const assert = require('node:assert');
const { once } = require('node:events');
const http = require('node:http');
const { describe, it, afterEach } = require('node:test');
const { createApp } = require('../support/app');
const { logged } = require('../support/log');
const { memoryManager } = require('../support/manager');
const { freePort } = require('../support/redis');
const { create, plugin, stopAll } = require('../support/service');

/** An app with `registerAdmin`, and the plugin. */
function appOf(id) {
  const app = createApp();
  app.modules = {};
  app.getServerId = () => id;
  app.registerAdmin = (name, module) => {
    app.modules[name] = module;
  };
  return app;
}

/** A master whose servers are these apps; `null` is one that never answers. */
function masterOf(apps) {
  const requests = [];
  const idMap = Object.fromEntries(Object.keys(apps).map((id) => [id, { type: 'chat' }]));
  return {
    idMap,
    requests,
    request(id, name, msg, cb) {
      requests.push(id);
      const module = apps[id]?.modules[name];
      if (apps[id] === null) return;
      if (module) module.monitorHandler({}, msg, cb);
      else cb(`unknown moduleId:${name}`);
    },
  };
}

const ask = (module, master) =>
  new Promise((resolve, reject) =>
    module.clientHandler(master, {}, (err, answer) => (err ? reject(err) : resolve(answer))),
  );

describe('module globalChannel of pomelo-admin', () => {
  afterEach(stopAll);

  const started = (id) => {
    const app = appOf(id);
    create({ channelManager: memoryManager() }, app);
    return app;
  };

  it('answers the figures of all servers, and names those that are silent', async () => {
    const apps = {
      'chat-1': started('chat-1'),
      'chat-2': started('chat-2'),
      'gate-1': appOf('gate-1'),
    };
    const module = apps['chat-1'].modules.globalChannel;
    const master = masterOf(apps);
    const { servers, silent } = await ask(module, master);
    assert.deepStrictEqual(
      servers.map(({ id, serverType, connection }) => [id, serverType, connection]),
      [
        ['chat-1', 'chat', 'idle'],
        ['chat-2', 'chat', 'idle'],
      ],
    );
    assert.strictEqual(servers[0].stats.commands.add, 0);
    assert.deepStrictEqual(silent, ['gate-1']);
    create({ channelManager: memoryManager() }, apps['gate-1']);
    assert.deepStrictEqual((await ask(module, master)).silent, []);
  });

  it('does not wait for a server that hangs, and does not ask it again', async () => {
    const apps = { 'chat-1': started('chat-1'), 'chat-2': null };
    const module = apps['chat-1'].modules.globalChannel;
    const master = masterOf(apps);
    const answers = await Promise.all([ask(module, master), ask(module, master)]);
    for (const { servers, silent } of answers) {
      assert.deepStrictEqual([servers.length, silent], [1, ['chat-2']]);
    }
    assert.strictEqual(master.requests.filter((id) => id === 'chat-2').length, 1);
  });

  it('a server that leaves while another one hangs does not harm, nor one whose figures are odd', async () => {
    const apps = { 'chat-1': started('chat-1'), 'chat-2': null, 'chat-3': started('chat-3') };
    const broken = started('chat-4');
    broken.get = () => ({
      stats() {
        throw new Error('wrapped');
      },
    });
    apps['chat-4'] = broken;
    const master = masterOf(apps);
    const answer = ask(apps['chat-1'].modules.globalChannel, master);
    delete master.idMap['chat-3'];
    const { servers, silent } = await answer;
    assert.deepStrictEqual(
      servers.map(({ id, serverType }) => [id, serverType]),
      [
        ['chat-1', 'chat'],
        ['chat-3', 'chat'],
      ],
    );
    assert.deepStrictEqual(silent, ['chat-2', 'chat-4']);
  });

  it('answers no notification and no timer', () => {
    const module = started('chat-1').modules.globalChannel;
    const never = () => assert.fail('answered');
    for (const msg of [null, undefined, {}, { ask: 'keys' }]) module.monitorHandler({}, msg, never);
    module.masterHandler({}, null, never);
  });

  it('refuses a scrape point without a port, by name', () => {
    const { registerAdmin } = plugin();
    for (const metrics of [{}, { port: '9464' }, { port: -1 }, { port: 1, host: 5 }]) {
      assert.throws(() => registerAdmin(appOf('master'), { metrics }), /metrics\.(port|host)/);
    }
    const app = appOf('master');
    registerAdmin(app);
    assert.strictEqual(app.modules.globalChannel.start, undefined);
  });

  it('answers GET and HEAD of /metrics, for loopback names, and nothing else', async () => {
    const port = await freePort();
    const app = appOf('master');
    app.master = { masterConsole: { agent: masterOf({}) } };
    plugin().registerAdmin(app, { metrics: { port } });
    await logged(() => new Promise((done) => app.modules.globalChannel.start(done)));
    const ask = async (path, method = 'GET', host = 'localhost') => {
      const request = http.request({ host: '127.0.0.1', port, path, method, headers: { host } });
      const [response] = await once(request.end(), 'response');
      let body = '';
      for await (const part of response.setEncoding('utf8')) body += part;
      return [response.statusCode, body !== ''];
    };
    for (const host of ['localhost', '127.0.0.1:1', '[::1]:9464', 'LOCALHOST:9464']) {
      assert.deepStrictEqual(await ask('/metrics', 'GET', host), [200, true], host);
    }
    assert.deepStrictEqual(await ask('/metrics?x=1'), [200, true]);
    assert.deepStrictEqual(await ask('/metrics', 'HEAD'), [200, false]);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      assert.deepStrictEqual(await ask('/metrics', method), [405, false], method);
    }
    for (const path of ['/', '/metrics/', '//metrics', '/metricsx', '/%6detrics']) {
      assert.deepStrictEqual(await ask(path), [404, false], path);
    }
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example']) {
      assert.deepStrictEqual(await ask('/metrics', 'GET', host), [403, false], host);
    }
  });

  it('opens the scrape point once, though a master starts its modules twice', async () => {
    const port = await freePort();
    const master = (metrics) => {
      const app = appOf('master');
      plugin().registerAdmin(app, { metrics });
      const module = app.modules.globalChannel;
      return logged(async () => {
        for (let time = 0; time < 2; time += 1) await new Promise((done) => module.start(done));
      });
    };
    const place = `http://127.0.0.1:${port}/metrics`;
    assert.deepStrictEqual(await master({ port }), [`[globalchannel-plugin] metrics: ${place}`]);
    const [line, ...others] = await master({ port });
    assert.match(line, /no scrape point on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
    assert.deepStrictEqual(others, []);
  });
});
