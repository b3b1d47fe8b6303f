'use strict';

/**
 * Every value inside of an argument: as an element of an array of names or uids, in a member, in the options of a push. jobs.js has
 * the values in the place of whole arguments.
 */

const { VALUES, LABELS } = require('./values');
const { isArray, isText, works } = require('./calls');
const job = require('./job');

/** A key that is too long for the store; the name and the server id are in it. */
const TOO_LONG = /^(arguments? name|a name of a channel).*: the key has \d+ bytes/;
/** Errors of a call that was accepted. */
const OTHER = ['UNSUPPORTED', 'PUSH_FAILED'].map((word) => `ERR_GLOBAL_CHANNEL_${word}`);

const TO_ALL = ['connector', 'onChat', {}];
const MEMBER = { uid: 'u', sid: 's1' };

function pushWith(method, option, make) {
  const to = { pushMessage: (name) => [name], pushMessageByUids: () => ['u'], broadcast: () => [] };
  return [
    method,
    (name, value) => [...TO_ALL, ...to[method](name), { [option]: make(value) }],
    new RegExp(`^argument opts\\.${option}`),
  ];
}

/**
 * Each value inside of an argument, beside what is right: `[method, args(name, value), what an error calls it]`. A call that is
 * refused has written nothing, not even what is right, and has made no RPC.
 */
const INSIDE = {
  'an array of names': [
    ['add', (name, value) => [[name, value], 'u', 's1'], /^argument name\[1\]/],
    ['leave', (name, value) => [[name, value], 'u', 's1'], /^argument name\[1\]/],
    ['destroyChannel', (name, value) => [[name, value]], /^argument name\[1\]/],
    [
      'getMembersByChannelNameBySid',
      (name, value) => ['connector', [name, value]],
      /^argument name\[1\]/,
    ],
    ['pushMessage', (name, value) => [...TO_ALL, [name, value], {}], /^argument name\[1\]/],
  ],
  'an array of uids': [
    ['add', (name, value) => [name, ['u', value], 's1'], /^argument uid\[1\]/],
    ['leave', (name, value) => [name, ['u', value], 's1'], /^argument uid\[1\]/],
    [
      'pushMessageByUids',
      (name, value) => [...TO_ALL, ['u', value], { sid: 's1' }],
      /^argument uids\[1\]/,
    ],
  ],
  'a list of members': ['addMany', 'leaveMany'].flatMap((method) => [
    [method, (name, value) => [name, [MEMBER, value]], /^argument members\[1\]/],
    [
      method,
      (name, value) => [name, [MEMBER, { uid: value, sid: 's1' }]],
      /^argument members\[1\]\.uid/,
    ],
    [
      method,
      (name, value) => [name, [MEMBER, { uid: 'u', sid: value }]],
      /^argument members\[1\]\.sid/,
    ],
  ]),
  'the options of a push': [
    ...['except', 'only', 'exceptChannels', 'sids'].flatMap((option) => [
      pushWith('pushMessage', option, (value) => value),
      pushWith('pushMessage', option, (value) => ['x', value]),
    ]),
    pushWith('pushMessageByUids', 'sid', (value) => value),
    pushWith('broadcast', 'sids', (value) => value),
  ],
};

/** Whether a value may be accepted there. */
function mayBe(place, value) {
  // A uid may be bytes, and a member is an object.
  if (/uids?\b|\.uid$/.test(place) && ArrayBuffer.isView(value)) return true;
  if (place.endsWith('members\\[1\\]')) return typeof value === 'object' && value !== null;
  // What is not given, or several; as the only value or beside another one.
  if (/opts/.test(place) && (value === undefined || value === null || isArray(value))) return true;
  return isText(value);
}

module.exports = job(async (watch, tools) => {
  const { started, call, ok } = tools;
  // A push without 100,000 channels reads 300,000 lists.
  const service = await started({ commandTimeout: 60000 });
  const { rpcCalls } = service.app;
  let number = 0;
  for (const [where, calls] of Object.entries(INSIDE)) {
    for (const label of LABELS) {
      for (const [method, argsOf, said] of calls) {
        const what = `${method}, in ${where} is ${label} (${said.source})`;
        const name = `nested ${(number += 1)}`;
        // What a refused call would have changed.
        const before = method.startsWith('add') ? 0 : 1;
        if (before) await ok(service, 'add', name, 'u', 's1');
        rpcCalls.length = 0;
        const args = argsOf(name, VALUES[label]());
        const err = await watch.answered(what, (cb) => service[method](...args, cb));
        if (!err) {
          if (!mayBe(said.source, VALUES[label]())) watch.fail(what, 'was taken');
          continue;
        }
        const isRefused = err.code === 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT';
        if (err.code && !isRefused && !OTHER.includes(err.code)) {
          watch.fail(what, `its error is ${err.code}`);
        }
        if (isRefused && !said.test(err.message) && !TOO_LONG.test(err.message)) {
          watch.fail(what, err.message);
        }
        if (!err.code || isRefused) {
          const count = await ok(service, 'getCount', name, 'connector');
          if (count !== before) watch.fail(what, `${err}, and ${count} members`);
          if (rpcCalls.length > 0) watch.fail(what, `${err}, and ${rpcCalls.length} RPCs`);
        }
      }
    }
    await works(watch, `after ${where}`, service, tools);
  }
  await call(service, 'stop', true);
});
