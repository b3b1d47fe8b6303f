'use strict';

/** Captures the log while something runs: without pomelo the service logs to the console. */

const METHODS = ['log', 'info', 'warn', 'error', 'debug'];

/** The lines that went to the console while `fn` ran, which sees them come. They are not shown. */
async function logged(fn) {
  const lines = [];
  const real = METHODS.map((method) => console[method]);
  for (const method of METHODS) console[method] = (...args) => lines.push(args.join(' '));
  try {
    await fn(lines);
  } finally {
    METHODS.forEach((method, i) => (console[method] = real[i]));
  }
  return lines;
}

module.exports = { logged };
