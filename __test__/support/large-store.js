'use strict';

/** Fills a Redis with many channels fast: raw SADD commands down one socket, as `redis-cli --pipe` does. */

const net = require('net');
const { once } = require('events');

/** Members of one command; more would make a slow call of the filling itself. */
const PER_CHANNEL_AND_FRONTEND = 25;
const FRONTENDS = ['connector-1', 'connector-2', 'connector-3', 'connector-4'];

const bulk = (text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
const command = (...args) => `*${args.length}\r\n${args.map(bulk).join('')}`;

/**
 * Adds channels `room-0`, `room-1`, … of 100 members each, 25 on each of four frontends, to a db; with them the index of
 * frontends.
 */
async function fill(port, db, channels, prefix = 'POMELO:CHANNEL') {
  const socket = net.connect(port, '127.0.0.1');
  let replies = 0;
  let expected = 2;
  const done = new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      for (const byte of chunk) if (byte === 10) replies += 1;
      if (replies === expected) resolve();
    });
  });
  socket.write(command('SELECT', String(db)) + command('SADD', `${prefix}@sids`, ...FRONTENDS));
  expected += channels * FRONTENDS.length;
  for (let i = 0; i < channels; i += 1) {
    const text = FRONTENDS.map((sid, place) => {
      const uids = Array.from(
        { length: PER_CHANNEL_AND_FRONTEND },
        (_, j) => `user-${(i * 97 + place * PER_CHANNEL_AND_FRONTEND + j) % 200000}`,
      );
      return command('SADD', `${prefix}:room-${i}:${sid}`, ...uids);
    });
    if (!socket.write(text.join(''))) await once(socket, 'drain');
  }
  await done;
  socket.destroy();
}

module.exports = { fill };
