'use strict';

/**
 * The stores of the chaos test, by name: `open(ids)` resolves to one for servers with these ids, which has
 *
 * - `options(id)`, those with which a server reaches it;
 * - `members(key)`, the members of a key, read without the plugin where that is possible;
 * - `faults(tools)`, what may happen to it, by name: `tools` are `{random, during, brief, long, some}` of faults.js. Time
 *   in `during(['store'], …)` does not count as missing;
 * - `cut(id, ms)`, where servers have connections;
 * - `close()`.
 *
 * Sentinel and Redis Cluster are in replicated.js.
 */

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const createLinks = require('./links');
const { cluster, sentinel } = require('./replicated');
const redisServers = require('../../support/redis');
const { STORES } = require('../../support/stores');
const { pause } = require('../../support/until');

const WRITER = path.join(__dirname, 'writer.js');
const AOF = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** One Redis, which loses nothing when it is killed. */
async function redis(ids) {
  const server = await redisServers.start({ args: AOF });
  const links = await createLinks(ids, [server.port]);
  return {
    title: 'Redis',
    options: (id) => ({ host: '127.0.0.1', port: links.portOf(id, server.port) }),
    members: (key) => server.members(key),
    cut: links.cut,
    async close() {
      await links.close();
      await server.stop();
    },
    faults: ({ during, some }) => ({
      'Redis killed': () =>
        during(['store'], async () => {
          await server.kill();
          await pause(some());
          await server.up();
        }),
      'Redis halted': () =>
        during(['store'], async () => {
          server.pause();
          await pause(some());
          server.resume();
        }),
    }),
  };
}

/** A folder. A process that is halted in the middle of a write blocks the writes of the others, and so do these faults. */
async function embedded() {
  const store = STORES.embedded.open();
  const lock = (ms) => async () => {
    await store.hang();
    await pause(ms());
    await store.resume();
  };
  return {
    title: 'the embedded store',
    options: () => store.options(),
    members: (key) => store.members(key),
    async close() {
      await store.resume();
      store.close();
    },
    faults: ({ during, brief, long }) => ({
      'a writer killed': () => killed(store.options(), brief()),
      'write lock held within the lease': () => during(['store'], lock(brief)),
      'write lock held beyond the lease': () => during(['store'], lock(long)),
    }),
  };
}

/** A process writes for so long, and is killed, often in the middle of a write. */
async function killed(options, ms) {
  const child = spawn(process.execPath, [WRITER, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), exited]);
  await pause(ms);
  child.kill('SIGKILL');
  const [code] = await exited;
  if (code !== null) throw new Error(`the writer ended by itself, with ${code}`);
}

module.exports = { redis, sentinel, cluster, embedded };
