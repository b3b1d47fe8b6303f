'use strict';

/** The members of a channel on all frontends of type connector, as `uid sid`, and a wait for them to be some. */

const assert = require('node:assert');
const { ok } = require('./call');
const { until } = require('./until');

async function members(service, name) {
  const lists = await ok(service, 'getMembersByChannelNameBySid', 'connector', name);
  const all = Object.entries(lists).flatMap(([sid, uids]) => uids.map((uid) => `${uid} ${sid}`));
  return all.sort();
}

/** Makes `become(service, name, ...expected)`: until the channel has these members; `patience` in ms as for `until`. */
function createBecome(patience) {
  return async function become(service, name, ...expected) {
    const isSo = async () => String(await members(service, name)) === String(expected);
    await until(isSo, `${name} to be ${expected}`, patience).catch(() => {});
    assert.deepStrictEqual(await members(service, name), expected);
  };
}

module.exports = { createBecome, members };
