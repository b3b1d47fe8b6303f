'use strict';

/** A job of jobs.js or nested.js, which fuzz.test.js runs in a process of its own. */

const { Watch } = require('./calls');

/** Ends with what was found; a job that hangs is ended by its deadline. */
module.exports = function job(body) {
  return async (tools) => {
    const { args, emit } = tools;
    const watch = new Watch(args.file);
    // Refused options and arguments are logged by the thousand.
    for (const level of ['log', 'info', 'warn', 'error']) console[level] = () => {};
    const late = new Promise((resolve) => setTimeout(resolve, args.patience).unref());
    await Promise.race([body(watch, tools), late.then(() => watch.fail('the job', 'hangs'))]);
    emit(watch.report());
    // Whatever is open was reported.
    process.exit(0);
  };
};
