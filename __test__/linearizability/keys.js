'use strict';

/**
 * The data that is read and written: a few channels on three frontends, one key of the store each, and members that contain
 * their key and their version. Each channel has one writer, which adds version n+1 and then removes version n; so a read of a
 * key tells how old the answer is.
 */

/** The frontends of the stub application. */
const SIDS = ['s1', 's2', 's3'];

/** The channels that the writers with these names own. */
const CHANNELS = { 'writer-a': ['a0', 'a1'], 'writer-b': ['b0', 'b1'] };
const NAMES = Object.values(CHANNELS).flat();
const KEYS = NAMES.flatMap((name) => SIDS.map((sid) => keyOf(name, sid)));

function keyOf(name, sid) {
  return `${name}:${sid}`;
}

const ownerOf = (key) =>
  Object.keys(CHANNELS).find((writer) => CHANNELS[writer].includes(key.split(':')[0]));

const storeKey = (key) => `POMELO:CHANNEL:${key}`;

const memberOf = (key, version) => `${key}#${version}`;

/** The key and the version of a member; the version is NaN if it is not one of ours. */
function parse(member) {
  const [key, version] = member.split('#');
  return { key, version: Number(version) };
}

module.exports = { SIDS, CHANNELS, NAMES, KEYS, keyOf, ownerOf, storeKey, memberOf, parse };
