'use strict';
/**
 * Ends tests with their runner, however that ended, SIGKILL too. A runner requires this file; all Node processes below it
 * then load it (NODE_OPTIONS) and exit when the process that started them has ended. What they do when they exit, such as
 * ending servers, is theirs. Not on Windows, which does not tell that a parent has ended.
 */
const fs = require('fs');
const { isMainThread } = require('worker_threads');

const EVERY = 500;
const OPTION = `--require ${JSON.stringify(__filename)}`;

const given = process.env.NODE_OPTIONS || '';
const isBelow = given.includes(OPTION);

/** Adds the option that loads this file to other ones. */
const nodeOptions = (others) => [others, OPTION].filter(Boolean).join(' ');

/** Returns the parent of a process, where there is /proc; undefined if it has ended. */
function parentOf(pid) {
  try {
    // After the name, which is in parentheses: the state, then the parent.
    const [, fields] = /^.*\) (.*)$/s.exec(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
    return fields.split(' ')[1];
  } catch {
    return undefined;
  }
}

/** The parent's parent too: between npm and what it runs there is a shell, which outlives npm. */
const ancestors = () => `${process.ppid} ${parentOf(process.ppid)}`;

function watch() {
  const before = ancestors();
  const look = () => {
    if (ancestors() !== before) process.exit(1);
  };
  setInterval(look, EVERY).unref();
}

// A runner that a shell started may outlive it (`nohup … &`).
if (isMainThread && (isBelow || process.env.npm_lifecycle_event)) watch();
if (isMainThread && !isBelow) process.env.NODE_OPTIONS = nodeOptions(given);

module.exports = { nodeOptions };
