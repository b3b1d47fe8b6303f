'use strict';

/** Runs the command line in a process of its own: its output and exit code. */

const { spawn } = require('child_process');
const { once } = require('events');
const path = require('path');

const { root } = require('../../scripts/lib/process');

const BIN = path.join(root, 'bin/pome-globalchannel.js');

/** Starts it; `ended` is a promise of `{code, signal, stdout, stderr}`. */
function start(args, { cwd, env } = {}) {
  return watched(spawn(process.execPath, [BIN, ...args], { cwd, env: { ...process.env, ...env } }));
}

/** Starts it on a pseudo-terminal, whose output is then `stdout`; `more` is what a shell reads after the arguments. */
function startOnTerminal(args, more = '') {
  const command = [process.execPath, BIN, ...args].map((word) => `'${word}'`).join(' ');
  const stdio = ['ignore', 'pipe', 'pipe'];
  return watched(spawn('script', ['-qec', `${command} ${more}`, '/dev/null'], { stdio }));
}

function watched(child) {
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => (printed[name] += text));
  }
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...printed }));
  return { child, printed, ended };
}

const run = (args, options) => start(args, options).ended;

module.exports = { start, startOnTerminal, run };
