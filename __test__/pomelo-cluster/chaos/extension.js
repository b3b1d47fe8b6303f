'use strict';

/**
 * What chaos.test.js wants in the servers of its cluster, beside membership-extension.js: each server reaches the store in its
 * own way. This is loaded before the app reads its options.
 */

const ways = JSON.parse(process.env.CHAOS_OPTIONS);
const argument = process.argv.find((arg) => arg.startsWith('id='));
const id = argument ? argument.slice('id='.length) : 'master';
const options = JSON.parse(process.env.GLOBALCHANNEL_OPTIONS);
process.env.GLOBALCHANNEL_OPTIONS = JSON.stringify({ ...options, ...ways[id] });

module.exports = require('../membership-extension');
