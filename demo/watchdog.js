'use strict';
/**
 * Ends what a run left behind when the run itself was killed and could not (`kill -9`). Started by
 * processes.js, which tells it by IPC which processes live; the broken line is the sign to act.
 * Usage: node watchdog.js <folder to remove>
 */

const fs = require('fs');

const living = new Set();

// Ctrl-C reaches this process as well, and must not stop it before the others.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

process.on('message', ({ started, ended }) => {
  if (started) living.add(started);
  living.delete(ended);
});

process.on('disconnect', () => {
  for (const pid of living) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended in this moment.
    }
  }
  fs.rmSync(process.argv[2], { recursive: true, force: true });
});
