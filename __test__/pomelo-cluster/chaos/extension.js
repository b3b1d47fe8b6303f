'use strict';

/**
 * What chaos.test.js wants in the servers of its cluster, beside membership-extension.js: each server reaches Redis through
 * a proxy of its own. This is loaded before the app reads its options.
 */

const ports = JSON.parse(process.env.CHAOS_PORTS);
const argument = process.argv.find((arg) => arg.startsWith('id='));
const id = argument ? argument.slice('id='.length) : 'master';
const options = JSON.parse(process.env.GLOBALCHANNEL_OPTIONS);
process.env.GLOBALCHANNEL_OPTIONS = JSON.stringify({ ...options, port: ports[id] });

module.exports = require('../membership-extension');
