'use strict';
/**
 * The stores for the channels of a cluster (cluster.js). Each is a function that starts or finds a store and returns
 * `{title, options, pid, remove}`: its name, the plugin's options for it, the pid of its process if the run started
 * one, and a function that removes what the run left in it.
 */

const path = require('path');
const { LOOPBACK, until } = require('./processes');

const START_TIMEOUT = 30000;
const REDIS_TIMEOUT = 3000;

/** Starts a redis-server for the run, which writes nothing to disk and ends with the run. */
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
 * Uses an existing Redis. The run uses a unique prefix, and removes the keys under it when all servers have stopped.
 */
function redisAt(url, plugin) {
  return async ({ directory }) => {
    // The name of the run's folder is unique.
    const options = { url, prefix: path.basename(directory) };
    const { GlobalChannel } = require(plugin);
    const channel = new GlobalChannel(NO_SERVERS, { ...options, startTimeout: REDIS_TIMEOUT });
    // Before any server starts, so that a wrong URL is reported at once.
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

/** Uses an embedded store, in a folder of the run. */
async function embedded({ directory }) {
  const options = { store: 'embedded', path: path.join(directory, 'channels') };
  return { title: 'the embedded store, a folder without a server', options };
}

/** A minimal application for a GlobalChannel that does not push. */
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
