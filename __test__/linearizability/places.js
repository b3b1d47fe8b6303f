'use strict';

/**
 * The stores of a run: a server, with each process behind the slow proxy, a Redis Cluster, or the folder of an embedded store. A place defines
 * its processes and the options of their GlobalChannels. Faults are in chaos.js.
 */

const fs = require('fs');
const os = require('os');
const path = require('path');
const { started } = require('../support/service');
const { call } = require('../support/call');
const { slowProxy } = require('./delays');
const { removeFolder } = require('../support/remove');

/** Both writers read as well, so that own and foreign writes meet in one cache. */
const JOBS = ['writer-a', 'writer-b', 'reader-a', 'reader-b'].map((name) => ({ name }));

/** How a job's GlobalChannel is made, beside what the place says. */
const withOptions = (options, jobs) =>
  jobs.map((job) => ({ ...job, options: { ...options, ...job.options } }));

/** On a server of support/redis.js, which is emptied; each job in a process of its own. */
const onRedis = (redis) => async () => {
  await redis.flush();
  const wire = await slowProxy(redis.port);
  const options = { host: '127.0.0.1', port: wire.port, retry_max_delay: 100 };
  return {
    processes: withOptions(options, JOBS).map((job) => ({ jobs: [job], threads: [] })),
    world: { redis, wire },
    close: () => wire.close(),
  };
};

/** On a cluster of support/cluster.js, which is emptied; each job in a process of its own. */
const onCluster = (cluster) => async () => {
  await cluster.settled();
  await cluster.empty();
  const options = cluster.options({ retry_max_delay: 100 });
  return {
    processes: withOptions(options, JOBS).map((job) => ({ jobs: [job], threads: [] })),
    world: { cluster },
    close: () => cluster.settled(),
  };
};

/** Lists of a few channels. */
const SMALL = { maxBytes: 3000 };

/**
 * In a folder of their own: one process with a worker thread, one with two GlobalChannels in one thread,
 * and one that keeps nothing, or little, in memory.
 */
const inFolder = (durability) => async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'linear-store-'));
  // Nothing takes time here but the processors, and they are to have some left.
  const rest = 500;
  const options = { store: 'embedded', path: path.join(folder, 'channels'), durability };
  const [writerA, writerB, readerA, readerB] = withOptions(options, JOBS).map((job) => ({
    ...job,
    rest,
  }));
  const [small, off] = [SMALL, false].map((cache, i) => {
    return { name: `reader-${'cd'[i]}`, rest, options: { ...options, cache } };
  });
  const service = await started({ options: () => options }, { retry_max_delay: 100 });
  return {
    processes: [
      { jobs: [writerA], threads: [[readerA]] },
      { jobs: [writerB, readerB], threads: [] },
      { jobs: [small, off], threads: [] },
    ],
    world: { service },
    async close() {
      await call(service, 'stop', true);
      removeFolder(folder);
    },
  };
};

module.exports = { onRedis, onCluster, inFolder };
