'use strict';

// Arranges member lists by frontend, and by channel if there are several, for getMembersByChannelNameBySid.

/**
 * Returns `{sid: list}`, or with `names` `{name: {sid: list}}`. `lists` are those of the first name on each of `sids`,
 * then those of the next one. Any text is a property of its own, also `__proto__`.
 */
module.exports = function bySid(names, sids, lists) {
  const from = (first) => Object.fromEntries(sids.map((sid, i) => [sid, lists[first + i]]));
  if (!names) {
    return from(0);
  }
  return Object.fromEntries(names.map((name, i) => [name, from(i * sids.length)]));
};
