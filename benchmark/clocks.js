'use strict';
/**
 * Reads the time and the CPU time of this process; a measurement is the difference of two readings.
 */

const fs = require('node:fs');

// Linux: the nanoseconds that a thread has run. The main thread's id is the process's.
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;

/** Returns the main thread's CPU time in µs; null where the system does not report it. */
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

/** Returns what has passed since `before`: seconds, and µs of CPU time of the main thread and of the process. */
function since(before) {
  const now = read();
  return {
    seconds: (now.ms - before.ms) / 1000,
    mainCpu: now.main === null ? null : now.main - before.main,
    processCpu: now.process - before.process,
  };
}

module.exports = { read, since };
