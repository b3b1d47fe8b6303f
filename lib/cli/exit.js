'use strict';

// The exit codes of the command line, and its end by a signal. docs/CLI.md has them as a table.

const { clearLine } = require('./progress');

const CODES = {
  DONE: 0,
  FAILED: 1,
  USAGE: 2,
  FOUND: 3,
};

/** What the shell adds to the number of a signal. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

const USAGE = ['ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT', 'ERR_GLOBAL_CHANNEL_INVALID_OPTION'];

/** The code for what a command has failed with. */
const codeOf = (err) => (USAGE.includes(err.code) ? CODES.USAGE : CODES.FAILED);

/** The listeners of `atSignals`. */
let listeners = [];

/** What is done at each of these signals from now on, in place of what an earlier call said. */
function atSignals(act) {
  for (const [signal, listener] of listeners) process.off(signal, listener);
  listeners = Object.entries(SIGNALS).map(([signal, code]) => [signal, () => act(signal, code)]);
  for (const [signal, listener] of listeners) process.once(signal, listener);
}

/** Ends the process at a signal, with a terminal as it was. */
function endAtSignals() {
  atSignals((signal, code) => {
    clearLine();
    process.stderr.write(`pome-globalchannel: interrupted (${signal})\n`);
    process.exit(code);
  });
}

/** Resolves at the next of these signals, which does not end the process then; one after it does, whichever it is. */
function nextSignal() {
  return new Promise((resolve) => {
    atSignals(() => {
      endAtSignals();
      resolve();
    });
  });
}

module.exports = { CODES, SIGNALS, codeOf, endAtSignals, nextSignal };
