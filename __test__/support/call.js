'use strict';

/**
 * Calls a method of the service with a callback and records the answer: its arguments and their number, how often it came,
 * and whether it came before the method returned.
 */

const tables = require('../../lib/tables');

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

/** The six methods of 0.0.7, and what else than an error each gives its callback with one. */
const OLD = {
  add: [],
  leave: [],
  getMembersBySid: [undefined],
  getMembersByChannelName: [null],
  destroyChannel: [],
  pushMessage: [],
};

/** Arguments that are right, by their names. */
const RIGHT = {
  name: 'n',
  uid: 'u',
  uids: ['u'],
  sid: 's1',
  members: [{ uid: 'u', sid: 's1' }],
  serverType: 'connector',
  route: 'onChat',
  msg: { t: 1 },
  channelName: 'n',
  opts: {},
};

/** What the package itself says of its methods; with IMPL=old of those that 0.0.7 has. */
const TABLE = Object.fromEntries(
  [...Object.keys(OLD), ...(process.env.IMPL === 'old' ? [] : Object.keys(tables.methods))].map(
    (method) => [method, tables.methods[method]],
  ),
);

/** The scopes of methods that do not ask the store: they are in pushes/. */
const WITHOUT_STORE = ['pushUids', 'broadcast', 'users', 'userOn', 'online', 'onlinePage'];

/** The scopes of methods that are about no single channel: c-pages.test.js. */
const WITHOUT_CHANNEL = ['channelPage'];

/** The methods of the store that are about a channel, with arguments that are right; the callback is left out. */
const METHODS = methodsWith({});

/** The methods that do not ask the store, with arguments that are right. */
const OTHERS = {
  pushMessageByUids: ['connector', 'onChat', { t: 1 }, ['u'], { sid: 's1' }],
  broadcast: ['connector', 'onChat', { t: 1 }, {}],
};

/** The methods that need option `sessions`, with arguments that are right. */
const ONLINE = {
  getSidsByUid: [['u']],
  isOnline: ['u'],
  getOnlineCount: ['connector'],
  getOnline: [{}],
};

/** The methods that need option `membership: 'session'`, with arguments that are right. */
const INDEXED = { getChannelsByUid: ['u', null], leaveAll: ['u', 's1'] };

/** {@link METHODS} with these arguments in the place of others, by their names. */
function methodsWith(values) {
  const given = { ...RIGHT, channelName: values.name || RIGHT.name, ...values };
  const entries = Object.entries(TABLE)
    .filter(
      ([, { arguments: names, scope }]) =>
        names.length > 0 && ![...WITHOUT_STORE, ...WITHOUT_CHANNEL].includes(scope),
    )
    .map(([method, { arguments: names, scope }]) => {
      // 0.0.7's destroyChannel takes no options.
      const own = names.filter((name) => scope !== 'frontends' || name !== 'opts');
      return [method, own.map((name) => given[name])];
    });
  return Object.fromEntries(entries);
}

/** What else than an error a method gives its callback with one. */
function besideError(method) {
  const { PLAIN, NULL } = tables.shapes;
  const { shape } = TABLE[method];
  return OLD[method] || (shape === PLAIN ? [] : [shape === NULL ? null : undefined]);
}

/** What the callback of a method gets with an error: how many arguments, and the second one. */
const failed = (method) => [1 + besideError(method).length, besideError(method)[0]];

/** What `of(method, {scope, value})` is for each of METHODS. */
const eachOf = (of) =>
  Object.fromEntries(Object.keys(METHODS).map((method) => [method, of(method, TABLE[method])]));

/** `fn(method, args)` over METHODS, collected as `{method: result}`. */
async function eachMethod(fn) {
  const results = {};
  for (const method of Object.keys(METHODS)) {
    results[method] = await fn(method, METHODS[method]);
  }
  return results;
}

module.exports = {
  invoke,
  call,
  ok,
  settled,
  eachMethod,
  eachOf,
  failed,
  methodsWith,
  METHODS,
  OTHERS,
  ONLINE,
  INDEXED,
  TABLE,
};
