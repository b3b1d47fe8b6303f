'use strict';
/** Questions whose answer is a number or a boolean. With 0.0.7 an app fetches the list, and counts or searches it. */

const { SERVER_TYPE, SIDS, uid, firstUid } = require('./names');

/** Counts the members of one channel after the other. */
function createCounts(service, cell, names) {
  const byHand = typeof service.getCount !== 'function';
  let calls = 0;
  return {
    call(answer) {
      const name = names[calls++ % names.length];
      if (!byHand) {
        service.getCount(name, SERVER_TYPE, answer);
        return;
      }
      service.getMembersByChannelName(SERVER_TYPE, name, (err, list) =>
        answer(err, list && list.length),
      );
    },
    check: (count) => count === cell.members * cell.frontends,
  };
}

/** Asks for a member of one channel after the other, and each second time for somebody else. */
function createSearches(service, cell, names) {
  const byHand = typeof service.isMember !== 'function';
  const stranger = uid(firstUid(cell, names.length, 0));
  const [sid] = SIDS;
  let calls = 0;
  return {
    call(answer) {
      const channel = calls % names.length;
      const expected = calls % 2 === 0;
      const member = uid(firstUid(cell, channel, 0) + (calls % cell.members));
      const user = expected ? member : stranger;
      calls += 1;
      const found = (err, is) => answer(err, is === expected);
      if (!byHand) {
        service.isMember(names[channel], user, sid, found);
        return;
      }
      service.getMembersBySid(names[channel], sid, (err, list) =>
        found(err, list && list.includes(user)),
      );
    },
    check: (right) => right,
  };
}

module.exports = { createCounts, createSearches };
