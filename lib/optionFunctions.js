'use strict';

// Calls the functions among the options, such as a password that is a function, when the core needs their values. What they
// return is checked in Rust (src/options/answers.rs).

const tls = require('tls');

/**
 * Returns `(token, option, argument)`, which calls a function with `this` as the options object, and answers the question
 * `token` exactly once, with what the function returned, resolved to, threw or rejected with. It never throws.
 */
module.exports = function createAsk(opts, { functions, platformCas, answered }) {
  const find = (option) =>
    option === platformCas ? () => Array.from(tls.rootCertificates) : functions[option];
  return function ask(token, option, argument) {
    new Promise((resolve) => {
      const args = argument === undefined || argument === null ? [] : [argument];
      resolve(Reflect.apply(find(option), opts, args));
    })
      // Getters of the value may throw here, too.
      .then((value) => answered(token, false, value))
      .catch((err) => answered(token, true, messageOf(err)));
  };
};

/** The message of what a function threw. Not its stack: it goes into errors and the log. */
function messageOf(err) {
  try {
    const { message } = Object(err);
    return typeof message === 'string' && message ? message : String(err);
  } catch {
    return 'an error that cannot be shown';
  }
}
