'use strict';

/**
 * Gives each server of a cluster options of its own, beside those that all have: an extension of demo/app/control.js requires this,
 * and is loaded before the app reads its options. SERVER_OPTIONS has them by the ids of the servers, as JSON.
 */

const own = JSON.parse(process.env.SERVER_OPTIONS);
const argument = process.argv.find((arg) => arg.startsWith('id='));
const id = argument ? argument.slice('id='.length) : 'master';
const options = JSON.parse(process.env.GLOBALCHANNEL_OPTIONS);
process.env.GLOBALCHANNEL_OPTIONS = JSON.stringify({ ...options, ...own[id] });
