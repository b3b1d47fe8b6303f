'use strict';
/**
 * Pushes to several channels, or without some of their members. With 0.0.7 an app reads the lists of each frontend,
 * combines them and makes the RPCs itself.
 */

const { SERVER_TYPE, SIDS, uid, firstUid } = require('./names');

const ROUTE = 'onChat';

/**
 * Makes pushes to `cell.united` channels, with `cell.leftOut` each time without another user, with `cell.excepted` without the
 * members of that number of other channels.
 */
function createUnions(service, cell, names) {
  const byHand = typeof service.broadcast !== 'function';
  const wanted = cell.united * cell.members - (cell.leftOut ? 1 : 0);
  const from = (channel, length) =>
    Array.from({ length }, (_, i) => names[(channel + i) % names.length]);
  // Made beforehand, as those of a push to one channel: the loop is not to be measured.
  const united = names.map((_, channel) => from(channel, cell.united));
  const excepted = names.map((_, channel) => from(channel + cell.united, cell.excepted || 0));
  // On the first frontend, which has one user less then.
  const users = names.map((_, channel) =>
    Array.from({ length: cell.leftOut ? cell.members : 0 }, (__, i) =>
      uid(firstUid(cell, channel, 0) + i),
    ),
  );
  let calls = 0;
  let rpcs = 0;
  let failed = 0;

  return {
    call(answer) {
      const channel = calls % names.length;
      const exceptChannels = excepted[channel];
      const except = cell.leftOut ? [users[channel][calls % cell.members]] : [];
      calls += 1;
      const msg = { text: 'hello' };
      const without = exceptChannels.length > 0 ? { exceptChannels } : { except };
      if (byHand) pushByHand(service, msg, united[channel], without, answer);
      else service.pushMessage(SERVER_TYPE, ROUTE, msg, united[channel], without, answer);
    },
    check: (failedUids) => failedUids.length === 0,
    rpc(sid, msg, uids) {
      rpcs += 1;
      if (uids.length !== wanted + (cell.leftOut && sid !== SIDS[0] ? 1 : 0)) failed += 1;
    },
    finish() {
      if (rpcs !== calls * SIDS.length) throw new Error(`${calls} pushes made ${rpcs} RPCs`);
      if (failed > 0) throw new Error(`${failed} wrong lists`);
      return {};
    },
  };
}

function pushByHand(service, msg, names, { except = [], exceptChannels = [] }, answer) {
  const failed = [];
  let left = SIDS.length;
  const pushed = (err, uids) => {
    failed.push(...(err ? [err] : uids));
    left -= 1;
    if (left === 0) answer(null, failed);
  };
  for (const sid of SIDS) {
    const [lists, excepted] = [[], [except]];
    let missing = names.length + exceptChannels.length;
    const read = (name, into) =>
      service.getMembersBySid(name, sid, (err, list) => {
        into.push(list || []);
        missing -= 1;
        if (missing > 0) return;
        const uids = new Set([].concat(...lists));
        for (const users of excepted) for (const user of users) uids.delete(user);
        const options = { type: 'push', userOptions: {}, isPush: true };
        const args = [ROUTE, msg, [...uids], options];
        const rpc = { namespace: 'sys', service: 'channelRemote', method: 'pushMessage', args };
        service.app.rpcInvoke(sid, rpc, pushed);
      });
    for (const name of names) read(name, lists);
    for (const name of exceptChannels) read(name, excepted);
  }
}

module.exports = { createUnions };
