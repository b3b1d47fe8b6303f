'use strict';

/** Other processes by their pids, of any parent: which are below a process, and whether one lives. Takes `ps`. */

const { execFileSync } = require('child_process');

/** Pids of all descendants of a process. */
function descendants(pid) {
  const rows = execFileSync('ps', ['-A', '-o', 'ppid=,pid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const found = [pid];
  // The list grows while it is walked.
  for (const parent of found) {
    found.push(...rows.filter(([ppid]) => ppid === parent).map(([, child]) => child));
  }
  return found.slice(1);
}

/** Also false for a process that is dead and only waits for its parent to notice. */
function isAlive(pid) {
  try {
    const state = execFileSync('ps', ['-p', String(pid), '-o', 'stat='], { encoding: 'utf8' });
    return !state.trim().startsWith('Z');
  } catch {
    return false;
  }
}

module.exports = { descendants, isAlive };
