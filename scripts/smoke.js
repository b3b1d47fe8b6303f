'use strict';
/**
 * Uses the package once in a real pomelo application: start, add, get, push, leave, stop.
 *
 *     node scripts/smoke.js [MODULE [REDIS_PORT | embedded]]
 *
 * MODULE is the module to require (default: this clone). Without a port it starts a Redis; with `embedded` it needs none
 * (Windows), and the channels are in the app's folder. It runs on old and new Nodes (nodes.js), in an app that installed
 * the tarball (pack.test.js), and on platforms that run nothing else of the suite. There is no cluster: the RPC of the
 * push is recorded. Uses syntax of Node 16 and no other file of the repository, since it is copied to other folders.
 */
const assert = require('assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { promisify } = require('util');
const pomelo = require('pomelo');

const plugin = require(process.argv[2] || '..');

/** Creates an application with two connectors that loads the plugin as any app does. */
function createApp(folder, options, rpcs) {
  fs.mkdirSync(path.join(folder, 'config'));
  const configs = { master: { id: 'm', host: '127.0.0.1', port: 1 }, servers: {} };
  for (const [name, config] of Object.entries(configs)) {
    const file = path.join(folder, 'config', `${name}.json`);
    fs.writeFileSync(file, JSON.stringify({ development: config, production: config }));
  }
  const app = pomelo.createApp({ base: folder });
  const connector = { serverType: 'connector', frontend: 'true', host: '127.0.0.1' };
  app.addServers([
    { ...connector, id: 'connector-1', port: 2 },
    { ...connector, id: 'connector-2', port: 3 },
  ]);
  app.use(plugin, { globalChannel: options });
  app.rpcInvoke = (sid, msg, cb) => {
    rpcs.push([sid, msg.args[0], msg.args[1], msg.args[2]]);
    setImmediate(cb, null, []);
  };
  return app;
}

async function exercise(app, rpcs) {
  const service = app.get('globalChannelService');
  const call = (method, ...args) => promisify(service[method]).apply(service, args);
  await call('start');
  await call('add', 'room', 'ann', 'connector-1');
  await call('add', 'room', 'bob', 'connector-2');
  assert.deepStrictEqual(await call('getMembersBySid', 'room', 'connector-1'), ['ann']);
  const failed = await call('pushMessage', 'connector', 'onChat', { text: 'hi' }, 'room', null);
  assert.deepStrictEqual(failed, []);
  assert.deepStrictEqual(rpcs.sort(), [
    ['connector-1', 'onChat', { text: 'hi' }, ['ann']],
    ['connector-2', 'onChat', { text: 'hi' }, ['bob']],
  ]);
  await call('leave', 'room', 'ann', 'connector-1');
  assert.deepStrictEqual(await call('getMembersByChannelName', 'connector', 'room'), ['bob']);
  await call('destroyChannel', 'room');
  await new Promise((resolve) => {
    service.stop(true, resolve);
  });
}

async function main() {
  const store = process.argv[3];
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pome-smoke-'));
  const redis = store ? null : await require('../__test__/support/redis').start();
  try {
    const port = redis ? redis.port : Number(store);
    const options = store === 'embedded' ? { store, path: 'channels' } : { port };
    const rpcs = [];
    await exercise(createApp(folder, options, rpcs), rpcs);
    console.log(`smoke test passed on Node ${process.version}`);
  } finally {
    if (redis) await redis.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
