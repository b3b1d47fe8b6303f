'use strict';
/**
 * Ends tests with their runner, however that ended, SIGKILL too. A runner requires this file; all Node processes below it
 * then load it (NODE_OPTIONS) and exit when the process that started them, or the nearest Node process above them, has ended.
 * What they do when they exit, such as ending servers, is theirs. Not on Windows, which does not tell that a parent has ended.
 */
const fs = require('fs');
const { isMainThread } = require('worker_threads');

const EVERY = 500;
/** The variable with the id of the nearest Node process above. */
const ABOVE = 'TESTS_END_WITH';
const OPTION = `--require ${JSON.stringify(__filename)}`;

const given = process.env.NODE_OPTIONS || '';
const isBelow = given.includes(OPTION);
const above = isBelow ? Number(process.env[ABOVE]) : 0;

/** Adds the option that loads this file to other ones. */
const nodeOptions = (others) => [others, OPTION].filter(Boolean).join(' ');

/** Returns the parent of a process; undefined if that cannot be told, as without /proc. */
function parentOf(pid) {
  try {
    // After the name, which is in parentheses: the state, then the parent.
    const [, fields] = /^.*\) (.*)$/s.exec(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
    return fields.split(' ')[1];
  } catch {
    return undefined;
  }
}

function hasEnded(pid) {
  try {
    process.kill(pid, 0);
    return false;
  } catch (err) {
    return err.code === 'ESRCH';
  }
}

function isNpm(pid) {
  try {
    return fs.readlinkSync(`/proc/${pid}/exe`) === fs.realpathSync(process.env.npm_node_execpath);
  } catch {
    return false;
  }
}

function watch() {
  const parent = process.ppid;
  // Between npm and a runner there is a shell, which outlives npm; some shells are replaced by what they run last.
  const npm = isBelow || isNpm(parent) ? undefined : parentOf(parent);
  const isOver = () =>
    process.ppid !== parent ||
    (above > 0 && hasEnded(above)) ||
    (npm !== undefined && (parentOf(parent) ?? npm) !== npm);
  const look = () => {
    if (isOver()) process.exit(1);
  };
  // It may have ended before this file was loaded.
  look();
  setInterval(look, EVERY).unref();
}

// A runner that a shell started may outlive it (`nohup … &`).
if (isMainThread && (isBelow || process.env.npm_lifecycle_event)) watch();
if (isMainThread) {
  if (!isBelow) process.env.NODE_OPTIONS = nodeOptions(given);
  process.env[ABOVE] = String(process.pid);
}

module.exports = { nodeOptions };
