'use strict';

/**
 * Calls a method of the service with a callback and records the answer: its arguments and their number, how often it came,
 * and whether it came before the method returned.
 */

const DEADLINE = 20000;

/**
 * The live record `{returned, args, argc, err, value, sync, n, done}`; `done` resolves to the
 * record at the first answer. `n` goes on counting, so a second answer shows.
 */
function invoke(service, method, ...args) {
  const record = { n: 0, args: null, sync: undefined, started: Date.now() };
  let returned = false;
  record.done = new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${method}: no callback within ${DEADLINE} ms`)),
      DEADLINE,
    );
    const callback = (...answer) => {
      record.n += 1;
      if (record.n > 1) return;
      clearTimeout(timer);
      record.args = answer;
      record.argc = answer.length;
      [record.err, record.value] = answer;
      record.sync = !returned;
      record.ms = Date.now() - record.started;
      resolve(record);
    };
    try {
      record.returned = service[method](...args, callback);
    } catch (err) {
      clearTimeout(timer);
      reject(err);
    }
  });
  returned = true;
  return record;
}

const call = (...args) => invoke(...args).done;

/** The value of a call that must succeed. */
async function ok(...args) {
  const { err, value } = await call(...args);
  if (err) throw err;
  return value;
}

/** Gives a wrong second callback the time to come: a whole round trip, then a turn of the loop. */
async function settled(service) {
  await call(service, 'getMembersBySid', 'settled', 'settled');
  await new Promise(setImmediate);
}

/** The six methods with arguments that are right, the callback left out. */
const METHODS = {
  add: ['n', 'u', 's1'],
  leave: ['n', 'u', 's1'],
  getMembersBySid: ['n', 's1'],
  getMembersByChannelName: ['connector', 'n'],
  destroyChannel: ['n'],
  pushMessage: ['connector', 'onChat', { t: 1 }, 'n', {}],
};

/** `fn(method, args)` over the six methods, collected as `{method: result}`. */
async function eachMethod(fn) {
  const results = {};
  for (const method of Object.keys(METHODS)) {
    results[method] = await fn(method, METHODS[method]);
  }
  return results;
}

module.exports = { invoke, call, ok, settled, eachMethod, METHODS };
