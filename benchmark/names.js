'use strict';
/**
 * The names of channels, frontends and users in every cell. Numbers have 12 digits, like redis-benchmark's
 * `__rand_int__`; with "uid:" a user id has 16 bytes.
 */

const SERVER_TYPE = 'connector';
// As in the stub application of __test__/support/app.js.
const SIDS = ['s1', 's2', 's3'];

const digits = (n) => String(n).padStart(12, '0');

const channelName = (index) => `c${digits(index)}`;
const uid = (n) => `uid:${digits(n)}`;
const key = (channel, sid) => `POMELO:CHANNEL:${channel}:${sid}`;

/** Returns the number of the first user of a seeded channel on one frontend. All seeded users are different. */
const firstUid = (cell, channel, sidIndex) => (channel * cell.frontends + sidIndex) * cell.members;

module.exports = { SERVER_TYPE, SIDS, channelName, uid, key, firstUid };
