'use strict';
/**
 * The stores for the channels of a cluster (cluster.js). Each is a function that starts or finds a store and returns
 * `{title, options, pid, remove}`: its name, the plugin's options for it, the pid of its process if the run started
 * one, and a function that removes what the run left in it.
 */

const net = require('net');
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
        // The index of frontends, which `clean` keeps.
        await execute(url, ['DEL', `${options.prefix}@sids`]);
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

/** Executes a command in the Redis at a URL: with a socket, because the plugin has no method for commands. */
function execute(url, command) {
  const { hostname, port, username, password, pathname } = new URL(url);
  const commands = [['SELECT', pathname.slice(1) || '0'], command];
  if (password) {
    const login = username ? [username, password] : [password];
    commands.unshift(['AUTH', ...login.map(decodeURIComponent)]);
  }
  return new Promise((resolve, reject) => {
    const host = hostname.replace(/^\[|\]$/g, '');
    const socket = net.connect(Number(port || 6379), host);
    const finish = (error) => {
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    let text = '';
    socket.setTimeout(REDIS_TIMEOUT, () => finish(new Error('Redis does not answer')));
    socket.on('error', finish).on('close', () => finish(new Error('Redis closed the connection')));
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      // A line for each command.
      const lines = text.split('\r\n').slice(0, -1);
      const failed = lines.find((line) => line.startsWith('-'));
      if (failed) finish(new Error(failed.slice(1)));
      else if (lines.length === commands.length) finish();
    });
    socket.write(commands.map(encode).join(''));
  });
}

/** Encodes a command as Redis reads it. */
function encode(words) {
  const bulks = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${bulks.join('')}`;
}

function withoutPassword(text) {
  const url = new URL(text);
  url.username = '';
  url.password = '';
  return url.href;
}

module.exports = { embedded, ownRedis, redisAt };
