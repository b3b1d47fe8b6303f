'use strict';
/**
 * CPU time of other processes, in milliseconds, as Linux tells it: the scheduler's nanoseconds of
 * all threads that live, since the ticks of /proc/PID/stat are 10 ms each.
 */

const fs = require('fs');

function cpuTime(pid) {
  let total = 0;
  for (const task of fs.readdirSync(`/proc/${pid}/task`)) {
    total += Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  }
  return total / 1e6;
}

/** Returns the CPU time of the main thread; the rest of a server's time is that of its other threads. */
function mainThreadTime(pid) {
  return Number(fs.readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
}

module.exports = { cpuTime, mainThreadTime };
