'use strict';
/**
 * Ends the processes of a run that was killed (`kill -9`) and could not do so itself. Started by processes.js, which sends
 * it the pids by IPC; when the IPC channel closes it exits, and acts then.
 * Usage: node watchdog.js <folder to remove>
 */

const fs = require('fs');

const living = new Set();

// Ctrl-C reaches this process as well, which must outlive the others.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

process.on('message', ({ started, ended }) => {
  if (started) living.add(started);
  living.delete(ended);
});

process.on('exit', () => {
  for (const pid of living) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
  fs.rmSync(process.argv[2], { recursive: true, force: true });
});
