'use strict';
/**
 * Pushes to several channels, or without some of their members. With 0.0.7 an app reads the lists of each frontend,
 * combines them and makes the RPCs itself.
 */

const { SERVER_TYPE, SIDS, uid, firstUid } = require('./names');

const ROUTE = 'onChat';

/** Makes pushes to `cell.united` channels, with `cell.leftOut` each time without another user. */
function createUnions(service, cell, names) {
  const byHand = typeof service.broadcast !== 'function';
  const wanted = cell.united * cell.members - (cell.leftOut ? 1 : 0);
  let calls = 0;
  let rpcs = 0;
  let failed = 0;

  return {
    call(answer) {
      const channel = calls % names.length;
      const united = Array.from(
        { length: cell.united },
        (_, i) => names[(channel + i) % names.length],
      );
      // On the first frontend, which has one user less then.
      const except = cell.leftOut ? [uid(firstUid(cell, channel, 0) + (calls % cell.members))] : [];
      calls += 1;
      const msg = { text: 'hello' };
      if (byHand) pushByHand(service, msg, united, except, answer);
      else service.pushMessage(SERVER_TYPE, ROUTE, msg, united, { except }, answer);
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

function pushByHand(service, msg, names, except, answer) {
  const failed = [];
  let left = SIDS.length;
  const pushed = (err, uids) => {
    failed.push(...(err ? [err] : uids));
    left -= 1;
    if (left === 0) answer(null, failed);
  };
  for (const sid of SIDS) {
    const lists = [];
    for (const name of names) {
      service.getMembersBySid(name, sid, (err, list) => {
        lists.push(list || []);
        if (lists.length < names.length) return;
        const uids = new Set([].concat(...lists));
        for (const user of except) uids.delete(user);
        const options = { type: 'push', userOptions: {}, isPush: true };
        const args = [ROUTE, msg, [...uids], options];
        const rpc = { namespace: 'sys', service: 'channelRemote', method: 'pushMessage', args };
        service.app.rpcInvoke(sid, rpc, pushed);
      });
    }
  }
}

module.exports = { createUnions };
