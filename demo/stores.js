'use strict';
/**
 * Where the channels of a cluster are kept. A store is a function that starts or finds it, and
 * returns `{title, options, pid, remove}`: what to call it, the plugin's options for it, the process
 * if it has one of its own, and how to take away what the run left in it. Used by cluster.js.
 */

const path = require('path');
const { LOOPBACK, until } = require('./processes');

const START_TIMEOUT = 30000;
const REDIS_TIMEOUT = 3000;

/** A redis-server of the run's own; it keeps nothing on disk and ends with the run. */
async function ownRedis({ processes, port }) {
  const args = ['--bind', LOOPBACK, '--port', String(port), '--save', '', '--appendonly', 'no'];
  const redis = processes.start('redis', 'redis-server', args);
  const ready = () => redis.exit || /ready to accept connections/i.test(redis.log());
  await until(ready, 'redis-server to start', START_TIMEOUT);
  if (redis.exit) {
    const reason = redis.exit.error?.message ?? redis.log();
    throw new Error(`redis-server did not start: ${reason}`);
  }
  return {
    title: 'a Redis of its own',
    options: { host: LOOPBACK, port, db: 0 },
    pid: redis.pid,
  };
}

/**
 * Somebody's Redis, where the run keeps to a prefix that nobody else has, and removes what is under
 * it when all servers have stopped.
 */
function redisAt(url, plugin) {
  return async ({ directory }) => {
    // Of the run's folder, whose name is as good as its own.
    const options = { url, prefix: path.basename(directory) };
    const { GlobalChannel } = require(plugin);
    const channel = new GlobalChannel(NO_SERVERS, { ...options, startTimeout: REDIS_TIMEOUT });
    // Before any server, so that a wrong URL is told soon.
    await channel.promises.start();
    return {
      title: `the Redis at ${withoutPassword(url)}, prefix ${options.prefix}`,
      options,
      async remove() {
        await channel.promises.clean();
        await channel.promises.stop(true);
      },
    };
  };
}

/** No server at all: a folder of the run's own. */
async function embedded({ directory }) {
  const options = { store: 'embedded', path: path.join(directory, 'channels') };
  return { title: 'the embedded store, a folder without a server', options };
}

/** What a GlobalChannel takes for an application, if it is not to push. */
const NO_SERVERS = {
  getServersByType: () => [],
  getServers: () => ({}),
  isFrontend: () => false,
  rpcInvoke() {},
};

function withoutPassword(text) {
  const url = new URL(text);
  url.username = '';
  url.password = '';
  return url.href;
}

module.exports = { embedded, ownRedis, redisAt };
