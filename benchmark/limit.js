'use strict';
/**
 * The physical limit: redis-benchmark with one connection and as many commands in its pipeline as
 * the cell has calls under way. Only for cells whose calls are one command each.
 */

const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const { CHANNELS } = require('./cells');
const { SIDS, channelName, key } = require('./names');

const RANDOM = '__rand_int__';

/** The command of a cell and the range of its random numbers; null for the other cells. */
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
    default:
      return null;
  }
}

async function measureLimit(port, cell, { seconds }) {
  const { range, command } = commandOf(cell);
  const rate = async (requests) => {
    const options = ['-h', '127.0.0.1', '-p', port, '-c', 1, '-P', cell.inFlight, '-r', range];
    const args = [...options, '-n', requests, '--csv', ...command];
    const { stdout } = await promisify(execFile)('redis-benchmark', args.map(String));
    return Number(/^"[^"]*","([\d.]+)"/.exec(stdout.trim().split('\n').pop())[1]);
  };
  // It takes a number of requests and not a time: a short run tells how many.
  const first = await rate(Math.max(cell.inFlight * 8, 200));
  const ops = Math.max(cell.inFlight * 8, Math.round(first * seconds));
  return { ops, seconds: ops / (await rate(ops)) };
}

module.exports = { commandOf, measureLimit };
