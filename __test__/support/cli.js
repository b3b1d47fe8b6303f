'use strict';

/** Runs the command line in a process of its own: its output and exit code. */

const { spawn } = require('child_process');
const { once } = require('events');
const path = require('path');

const { root } = require('../../scripts/lib/process');

const BIN = path.join(root, 'bin/pome-globalchannel.js');

/** Starts it; `ended` is a promise of `{code, signal, stdout, stderr}`. */
function start(args, { cwd, env } = {}) {
  const child = spawn(process.execPath, [BIN, ...args], { cwd, env: { ...process.env, ...env } });
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => (printed[name] += text));
  }
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...printed }));
  return { child, printed, ended };
}

const run = (args, options) => start(args, options).ended;

module.exports = { start, run };
