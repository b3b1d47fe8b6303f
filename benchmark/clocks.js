'use strict';
/**
 * Time and CPU time of this process: what a measurement is taken from, twice, and the difference.
 */

const fs = require('node:fs');

// Linux: nanoseconds that the thread has run; the main thread's id is that of the process.
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;

/** The main thread's CPU time in µs, from its own clock; null where there is none. */
function mainThread() {
  if (process.threadCpuUsage) {
    const { user, system } = process.threadCpuUsage();
    return user + system;
  }
  try {
    return Number(fs.readFileSync(SCHEDSTAT, 'utf8').split(' ')[0]) / 1000;
  } catch {
    return null;
  }
}

function read() {
  const { user, system } = process.cpuUsage();
  return { ms: performance.now(), main: mainThread(), process: user + system };
}

/** Seconds, and µs of CPU time of the main thread and of the whole process, since `before`. */
function since(before) {
  const now = read();
  return {
    seconds: (now.ms - before.ms) / 1000,
    mainCpu: now.main === null ? null : now.main - before.main,
    processCpu: now.process - before.process,
  };
}

module.exports = { read, since };
