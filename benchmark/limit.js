'use strict';
/**
 * The physical limit: redis-benchmark with one connection, and as many commands in its pipeline as the cell has calls
 * in flight. Only for cells whose calls are one command each.
 */

const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const { CHANNELS } = require('./cells');
const { SIDS, channelName, key } = require('./names');

const RANDOM = '__rand_int__';

/** Returns the command of a cell and the range of its random numbers; null for the other cells. */
function commandOf(cell) {
  const [sid] = SIDS;
  const anyChannel = key(`c${RANDOM}`, sid);
  const oneChannel = key(channelName(0), sid);
  switch (cell.kind) {
    case 'add':
      return { range: 1e9, command: ['SADD', oneChannel, `uid:${RANDOM}`] };
    case 'leave':
      return { range: cell.members * CHANNELS, command: ['SREM', oneChannel, `uid:${RANDOM}`] };
    case 'bySid':
      return { range: CHANNELS, command: ['SMEMBERS', anyChannel] };
    // One frontend of the three that we ask.
    case 'count':
      return { range: cell.channels || CHANNELS, command: ['SCARD', anyChannel] };
    case 'isMember':
      return { range: 2 * cell.members, command: ['SISMEMBER', oneChannel, `uid:${RANDOM}`] };
    default:
      return null;
  }
}

async function measureLimit(port, cell, { seconds }) {
  const { range, command } = commandOf(cell);
  const options = ['-h', '127.0.0.1', '-p', port, '-c', 1, '-P', cell.inFlight, '-r', range];
  // redis-benchmark takes a number of requests, not a time, so the number grows until a run is long enough.
  for (let requests = cell.inFlight * 8; ;) {
    const args = [...options, '-n', requests, '--csv', ...command].map(String);
    const { stdout } = await promisify(execFile)('redis-benchmark', args);
    const took = requests / rateIn(stdout);
    if (took >= seconds / 2) return { ops: requests, seconds: took };
    requests = Math.ceil(requests * Math.min(10, seconds / took));
  }
}

/** Requests per second: the second figure of the last line; "inf" if the run took no measurable time. */
function rateIn(csv) {
  const [, text] = /^"[^"]*","([^"]*)"/.exec(csv.trim().split('\n').pop());
  return text === 'inf' ? Infinity : Number(text);
}

module.exports = { commandOf, measureLimit };
