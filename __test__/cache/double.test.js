'use strict';

/**
 * The wire double behaves as redis-server: for the same commands in the same order it sends the same bytes, replies and
 * pushes. The plugin is not involved.
 */

const assert = require('node:assert');
const fs = require('fs');
const net = require('net');
const path = require('path');
const { once } = require('events');
const { describe, it, before, after } = require('node:test');
const double = require('./double');
const redisServer = require('../support/redis');
const { until } = require('../support/until');

/** Our own connection, and B's: `{a, b}` send one command and return what came on A. */
async function connect(port) {
  const [a, b] = [net.connect(port, '127.0.0.1'), net.connect(port, '127.0.0.1')];
  const texts = { a: '', b: '' };
  a.on('data', (chunk) => (texts.a += chunk.toString('latin1')));
  b.on('data', (chunk) => (texts.b += chunk.toString('latin1')));
  await Promise.all([once(a, 'connect'), once(b, 'connect')]);
  const encode = (parts) =>
    Buffer.from(
      `*${parts.length}\r\n${parts.map((part) => `$${part.length}\r\n${part}\r\n`).join('')}`,
      'latin1',
    );
  let marks = 0;
  // A's own PING comes after everything that A was sent before.
  const seen = async () => {
    const mark = `mark-${(marks += 1)}`;
    a.write(encode(['ECHO', mark]));
    await until(() => texts.a.includes(mark), `${mark} to come back`);
    const text = texts.a.slice(0, texts.a.indexOf(`$${mark.length}\r\n${mark}`));
    texts.a = '';
    return text;
  };
  return {
    async a(...command) {
      a.write(encode(command));
      return seen();
    },
    /** Directly after CLIENT CACHING YES. */
    async pair(...command) {
      a.write(Buffer.concat([encode(['CLIENT', 'CACHING', 'YES']), encode(command)]));
      return seen();
    },
    async b(...command) {
      texts.b = '';
      b.write(encode(command));
      await until(() => texts.b.endsWith('\r\n'), 'the answer to B');
      return seen();
    },
    end: () => [a, b].forEach((socket) => socket.destroy()),
  };
}

/** As in src/redis_manager/pipeline.rs. */
const FORGET = /const FORGET: &str = "(.*?)";/s
  .exec(fs.readFileSync(path.join(__dirname, '../../src/redis_manager/pipeline.rs'), 'utf8'))[1]
  .replace(/\\\n\s*/g, '');

const COMMANDS = [
  ['a', 'SMEMBERS', 'k'],
  ['a', 'CLIENT', 'TRACKING', 'ON'],
  ['b', 'SADD', 'k', 'u'],
  ['a', 'SMEMBERS', 'k'],
  ['b', 'SADD', 'k', 'u'],
  ['b', 'SADD', 'k', 'v'],
  ['b', 'SADD', 'k', 'w'],
  ['a', 'TOUCH', 'k', 'k', 'none'],
  ['b', 'SREM', 'k', 'u', 'v', 'w'],
  ['a', 'SMEMBERS', 'none'],
  ['b', 'SADD', 'none', 'u'],
  ['a', 'EXISTS', 'none'],
  ['a', 'TYPE', 'none'],
  ['a', 'SADD', 'none', 'w', 'x'],
  ['a', 'TOUCH', 'none', 'other'],
  ['b', 'UNLINK', 'none', 'other'],
  ['a', 'SADD', 'k', 'u'],
  ['a', 'SMEMBERS', 'k'],
  ['a', 'SREM', 'k', 'u'],
  ['a', 'SADD', 'a\xff\r\n', 'u'],
  ['a', 'SMEMBERS', 'a\xff\r\n'],
  ['b', 'DEL', 'a\xff\r\n'],
  ['a', 'SMEMBERS', 'k'],
  ['b', 'FLUSHALL'],
  ['b', 'SADD', 'k', 'u'],
  ['a', 'SELECT', '1'],
  ['a', 'SMEMBERS', 'k'],
  ['b', 'SREM', 'k', 'u'],
  ['a', 'FLUSHALL'],
  ['a', 'SELECT', '0'],
  ['a', 'CLIENT', 'TRACKING', 'OFF'],
  ['a', 'CLIENT', 'CACHING', 'YES'],
  ['a', 'CLIENT', 'TRACKING', 'ON', 'OPTIN'],
  ['b', 'SADD', 'k', 'u'],
  ['a', 'SMEMBERS', 'k'],
  ['b', 'SADD', 'k', 'v'],
  // Two members would come in any order.
  ['b', 'SREM', 'k', 'v'],
  ['a', 'CLIENT', 'CACHING', 'YES'],
  // The ECHO after each command has taken the word.
  ['a', 'SMEMBERS', 'k'],
  ['b', 'SADD', 'k', 'v'],
  ['b', 'SREM', 'k', 'v'],
  ['pair', 'SMEMBERS', 'k'],
  ['a', 'TOUCH', 'none'],
  ['b', 'SADD', 'k', 'v'],
  ['pair', 'SMEMBERS', 'none'],
  ['b', 'UNLINK', 'none'],
  ['a', 'EVAL', FORGET, '1', 'none'],
  ['a', 'EVAL', FORGET, '1', 'none'],
  ['b', 'SREM', 'k', 'v'],
  ['pair', 'SMEMBERS', 'k'],
  ['a', 'EVAL', FORGET, '1', 'k'],
  ['a', 'SADD', 'k', 'own'],
  ['a', 'EVAL', FORGET, '0'],
  ['a', 'SELECT', '16'],
  ['a', 'CLIENT', 'KILL', 'ID', '12345678'],
];

describe('the wire double', () => {
  let redis;
  let server;
  before(async () => {
    redis = await redisServer.start();
    server = await double.start();
  });
  after(async () => {
    await server.close();
    await redis.stop();
  });

  for (const proto of ['2', '3']) {
    it(`sends what redis-server sends, in RESP${proto}`, async () => {
      await redis.flush();
      server.other('FLUSHALL');
      const [real, ours] = [await connect(redis.port), await connect(server.port)];
      try {
        for (const end of [real, ours]) await end.a('HELLO', proto);
        // RESP2 has no pushes: nothing is to be seen but the replies.
        for (const [who, ...command] of COMMANDS) {
          const expected = await real[who](...command);
          assert.strictEqual(await ours[who](...command), expected, command.join(' '));
        }
      } finally {
        real.end();
        ours.end();
      }
    });
  }

  const skip = process.env.SERVER && 'it says that it is Redis';
  it('describes itself as redis-server does', { skip }, async () => {
    const [real, ours] = [await connect(redis.port), await connect(server.port)];
    const shape = (text) => text.replace(/:\d+\r/g, ':N\r').replace(/\d+\.\d+\.\d+/, 'VERSION');
    try {
      for (const command of [
        ['HELLO', '3'],
        ['HELLO'],
        ['CLIENT', 'ID'],
        ['CLIENT', 'TRACKINGINFO'],
        ['CLIENT', 'TRACKING', 'ON'],
        ['CLIENT', 'TRACKINGINFO'],
        ['CLIENT', 'TRACKING', 'OFF'],
        ['CLIENT', 'TRACKING', 'ON', 'OPTIN'],
        ['CLIENT', 'TRACKINGINFO'],
      ]) {
        const expected = shape(await real.a(...command));
        assert.strictEqual(shape(await ours.a(...command)), expected, command.join(' '));
      }
      assert.match(await ours.a('INFO'), /^=\d+\r\ntxt:/);
      assert.match(await real.a('INFO'), /^=\d+\r\ntxt:/);
    } finally {
      real.end();
      ours.end();
    }
  });
});
