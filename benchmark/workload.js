'use strict';
/**
 * The calls of a cell: which method with which arguments, and a check of each answer, so that a fast wrong answer does
 * not count. Questions, bulk writes and pushes to several channels are in questions.js, bulk.js and unions.js. How many calls are in flight, and for how long, is decided in loop.js.
 */

const { SERVER_TYPE, SIDS, channelName, uid, firstUid } = require('./names');
const { channelsOf } = require('./seed');
const { createMany, createNames } = require('./bulk');
const { createCounts, createSearches } = require('./questions');
const { createUnions } = require('./unions');

const ROUTE = 'onChat';
// The number of users that one process adds: with 67 channels, over 4 million calls that all insert.
const NEW_UIDS = 65536;

/**
 * Returns `{call(answer), check(result), rpc(sid, msg, uids), finish()}`. `call` makes a call with `answer(err,
 * result)` as its callback; `check` returns false for a wrong result; `rpc` is called with what a push sends to a
 * frontend; `finish` returns notes for the record, or throws.
 */
function createWorkload(service, cell, other) {
  const names = Array.from({ length: channelsOf(cell) }, (_, i) => channelName(i));
  let calls = 0;
  const next = () => names[calls++ % names.length];
  const [sid] = SIDS;
  const noResult = (result) => result === undefined || result === null;
  const members = (count) => (list) => list.length === count && list[0].length === 16;

  switch (cell.kind) {
    case 'add':
    case 'leave': {
      const count = cell.kind === 'add' ? NEW_UIDS : cell.members;
      const first = (cell.writer || 0) * NEW_UIDS;
      const uids = Array.from({ length: count }, (_, n) => uid(first + n));
      return {
        call(answer) {
          const name = names[calls % names.length];
          const user = uids[Math.floor(calls / names.length) % count];
          calls += 1;
          service[cell.kind](name, user, sid, answer);
        },
        check: noResult,
      };
    }
    case 'bySid':
    case 'cold':
      return {
        call: (answer) => service.getMembersBySid(next(), sid, answer),
        check: members(cell.members),
      };
    case 'byName':
      return {
        call: (answer) => service.getMembersByChannelName(SERVER_TYPE, next(), answer),
        check: members(cell.members * cell.frontends),
      };
    case 'count':
      return createCounts(service, cell, names);
    case 'isMember':
      return createSearches(service, cell, names);
    case 'many':
      return createMany(service, cell, names);
    case 'names':
      return createNames(service, cell, names);
    case 'union':
      return createUnions(service, cell, names);
    case 'push':
    case 'churn':
      return createPushes(service, cell, names, cell.byOther ? other : service);
    default:
      throw new Error(`no such kind of cell: ${cell.kind}`);
  }
}

/**
 * Makes pushes, with a join or leave in the same channel before each `cell.every`-th one, by `writer`. The message has the
 * number of users that each frontend must get: those at the time of the call, because calls are executed in order. If
 * another process writes, they may be one more.
 */
function createPushes(service, cell, names, writer) {
  const extra = uid(firstUid(cell, names.length, 0));
  const counts = names.map(() => SIDS.map(() => cell.members));
  let calls = 0;
  let rpcs = 0;
  let stale = 0;
  let failed = 0;
  const written = (err) => {
    if (err) failed += 1;
  };

  function churn(channel, turn) {
    const which = turn % SIDS.length;
    const joined = counts[channel][which] > cell.members;
    counts[channel] = counts[channel].slice();
    counts[channel][which] += joined ? -1 : 1;
    if (joined) writer.leave(names[channel], extra, SIDS[which], written);
    else writer.add(names[channel], extra, SIDS[which], written);
  }

  return {
    call(answer) {
      const channel = calls % names.length;
      if (cell.every && calls % cell.every === 0) churn(channel, Math.floor(calls / cell.every));
      calls += 1;
      const msg = { text: 'hello', counts: counts[channel] };
      service.pushMessage(SERVER_TYPE, ROUTE, msg, names[channel], null, answer);
    },
    check: (failedUids) => failedUids.length === 0,
    rpc(sid, msg, uids) {
      rpcs += 1;
      if (!cell.byOther && uids.length !== msg.counts[SIDS.indexOf(sid)]) stale += 1;
      if (uids.length < cell.members || uids.length > cell.members + 1) failed += 1;
    },
    finish() {
      if (rpcs !== calls * SIDS.length) throw new Error(`${calls} pushes made ${rpcs} RPCs`);
      if (failed > 0) throw new Error(`${failed} wrong lists or failed writes`);
      return { stale };
    },
  };
}

module.exports = { createWorkload };
