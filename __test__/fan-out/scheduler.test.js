'use strict';

/**
 * Class FanOutPushScheduler: how the frameworks make, start and stop it, what it does with sockets of each kind, with
 * clients that do not read, and with sessions that are not what they seem. The framework's own connectors and sessions.
 */

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { afterEach, describe, it } = require('node:test');
const { FanOutPushScheduler } = require('../..');
const { certificates } = require('../support/certificates');
const { logged } = require('../support/log');
const { removeFolder } = require('../support/remove');
const { until } = require('../support/until');
const { Frontend } = require('./hybrid');

const TIMEOUT = 60000;
const NATIVE = process.platform !== 'win32';
const MIB = 1 << 20;

const test = (title, fn) => it(title, { timeout: TIMEOUT }, fn);
const gets = (client, bodies) =>
  until(() => client.bodies.length >= bodies.length, `${bodies.length} messages`).then(() =>
    assert.deepStrictEqual(client.bodies, bodies),
  );

describe('the class', () => {
  test('is made with new and without, and starts and stops by callback and by promise', async () => {
    const app = { get: () => {} };
    for (const scheduler of [new FanOutPushScheduler(app, {}), FanOutPushScheduler(app)]) {
      assert.ok(scheduler instanceof FanOutPushScheduler);
      assert.strictEqual(scheduler.app, app);
      await scheduler.start();
      await new Promise((resolve) => scheduler.start(resolve));
      await new Promise((resolve) => scheduler.stop(resolve));
      await new Promise((resolve) => scheduler.stop(true, resolve));
      await scheduler.stop();
    }
  });

  test('refuses wrong options by their names', () => {
    const code = 'ERR_GLOBAL_CHANNEL_INVALID_OPTION';
    for (const [opts, message] of [
      [{ maxBuffered: 'much' }, /fanOut\.maxBuffered is "much"/],
      [{ deflateThreshold: -1 }, /fanOut\.deflateThreshold is -1/],
      [{ onSlow: 'wait' }, /fanOut\.onSlow is "wait"/],
    ]) {
      assert.throws(() => new FanOutPushScheduler({}, opts), { code, message });
    }
    // What belongs to the frameworks and to other schedulers is none of its business.
    FanOutPushScheduler({}, { scheduler: FanOutPushScheduler, flushInterval: 20 });
  });
});

for (const framework of ['pomelo', 'pinus']) {
  describe(`sockets of ${framework}`, () => {
    let frontend;
    afterEach(() => frontend.stop());

    async function start(opts, connectorOptions) {
      frontend = await new Frontend(framework, opts, connectorOptions).start();
    }
    const join = (...kinds) => Promise.all(kinds.map((kind) => frontend.join(kind)));
    // In turn: which session is whose is seen by what is new.
    async function joinInTurn(...kinds) {
      const clients = [];
      for (const kind of kinds) clients.push(...(await join(kind)));
      return clients;
    }

    test('a message for many goes by the native call, and the callback comes once, later', async () => {
      await start();
      const kinds = framework === 'pinus' ? ['plain', 'plain', 'tcp'] : ['plain', 'plain', 'plain'];
      const clients = await joinInTurn(...kinds);
      const calls = [];
      const ids = clients.map(({ session }) => session.id);
      frontend.scheduler.schedule(null, 'r', Buffer.from('a'), ids, null, (...args) =>
        calls.push(args),
      );
      assert.deepStrictEqual(calls, []);
      await frontend.push(clients, '');
      await frontend.push(clients, 'x'.repeat(70000));
      assert.deepStrictEqual(calls, [[]]);
      await Promise.all(clients.map((each) => gets(each, ['a', '', 'x'.repeat(70000)])));
      const { native, nativeBytes, shared, framework: own } = frontend.counts;
      assert.deepStrictEqual([native, shared, own], NATIVE ? [9, 0, 0] : [0, 9, 0]);
      // A Package has a head of 4 bytes, the frame around it one of 2 or, from 64 KiB, of 10.
      const bytes = kinds.map((kind) => 70001 + 3 * 4 + (kind === 'tcp' ? 0 : 2 + 2 + 10));
      assert.strictEqual(nativeBytes, NATIVE ? bytes.reduce((a, b) => a + b) : 0);
    });

    test('a response is sent by the framework', async () => {
      await start();
      const [client] = await joinInTurn('plain');
      await frontend.push([client], 'answer', { type: 'response', isResponse: true });
      await gets(client, ['answer']);
      assert.strictEqual(frontend.counts.reasons.response, 1);
    });

    test('over TLS all get the same bytes by write', async () => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fan-out-'));
      try {
        const { cert, key } = certificates(folder)
          .authority('ca')
          .sign('frontend', { hosts: ['IP:127.0.0.1'] });
        await start({}, { ssl: { cert, key } });
        const clients = await joinInTurn('plain', 'plain');
        await frontend.push(clients, 'a');
        await frontend.push(clients, 'b');
        await Promise.all(clients.map((each) => gets(each, ['a', 'b'])));
        assert.deepStrictEqual([frontend.counts.native, frontend.counts.shared], [0, 4]);
      } finally {
        removeFolder(folder);
      }
    });

    test('a session that is gone, and one that cannot be sent to, keep no other from the message', async () => {
      await start();
      const clients = await joinInTurn('plain', 'plain');
      const sent = [];
      const odd = {
        bare: { id: 101, send: (msg) => sent.push(`bare ${msg}`) },
        throws: {
          id: 102,
          send() {
            throw new Error('not today');
          },
        },
        trap: {
          id: 103,
          send: (msg) => sent.push(`trap ${msg}`),
          get __socket__() {
            throw new Error('a getter');
          },
        },
      };
      for (const session of Object.values(odd)) frontend.sessions.sessions[session.id] = session;
      const ids = [999, 101, clients[0].session.id, 102, 103, clients[1].session.id];
      const lines = await logged(() =>
        frontend.scheduler.schedule(null, 'r', Buffer.from('hello'), ids, {}, undefined),
      );
      for (const { id } of Object.values(odd)) delete frontend.sessions.sessions[id];
      assert.deepStrictEqual(sent, ['bare hello', 'trap hello']);
      assert.strictEqual(lines.filter((line) => /session 102.*not today/.test(line)).length, 1);
      await Promise.all(clients.map((each) => gets(each, ['hello'])));
      const { otherSocket, noSession } = frontend.counts.reasons;
      assert.deepStrictEqual([otherSocket, noSession], [3, 1]);
    });

    test('a socket that was destroyed in this turn is left to the framework, which drops the message', async () => {
      await start();
      const [gone, other] = await joinInTurn('plain', 'plain');
      gone.raw.destroy();
      await logged(() => frontend.push([gone, other], 'hello'));
      await gets(other, ['hello']);
      const { native, shared, reasons } = frontend.counts;
      assert.deepStrictEqual([native, shared], NATIVE ? [1, 0] : [0, 1]);
      assert.strictEqual(reasons.notOpen, 1);
    });

    test('what cannot be encoded is left to the framework, and nothing is thrown', async () => {
      await start();
      const [client] = await joinInTurn('plain');
      const cyclic = {};
      cyclic.self = cyclic;
      const ids = [client.session.id];
      await logged(() => {
        for (const msg of [undefined, cyclic, () => 1]) {
          frontend.scheduler.schedule(null, 'r', msg, ids, {}, () => {});
        }
      });
      frontend.scheduler.schedule(null, 'r', { an: 'object' }, ids, {}, () => {});
      await gets(client, ['{"an":"object"}']);
      assert.strictEqual(frontend.counts.reasons.notEncoded, 3);
    });

    for (const [onSlow, what] of [
      ['drop', 'loses messages until it reads again'],
      ['close', 'is closed'],
    ]) {
      test(`a client that does not read ${what}, the others get all, and one line says so`, async () => {
        await start({ maxBuffered: MIB, onSlow });
        const [slow, quick] = await joinInTurn('plain', 'plain');
        slow.pause();
        const pushed = 40;
        const lines = await logged(async () => {
          for (let i = 0; i < pushed; i += 1) {
            await frontend.push(
              [slow, quick].filter(({ session }) => frontend.sessions.get(session.id)),
              'x'.repeat(MIB),
            );
            // What waits is a message above the bound at most.
            assert.ok(slow.raw.writableLength <= 2 * MIB + 14, `${slow.raw.writableLength}`);
            await gets(quick, Array(i + 1).fill('x'.repeat(MIB)));
          }
        });
        const { slowDropped, slowClosed } = frontend.counts;
        assert.strictEqual(lines.length, 1, lines.join('\n'));
        assert.match(lines[0], /session \d+ does not read.*maxBuffered is 1048576/);
        if (onSlow === 'close') {
          assert.deepStrictEqual([slowDropped, slowClosed], [0, 1]);
          assert.deepStrictEqual(frontend.closed, [[slow.session.id, 'slow']]);
          assert.ok(slow.raw.destroyed);
          return;
        }
        assert.ok(slowDropped > 0 && slowClosed === 0);
        slow.resume();
        await until(() => slow.raw.writableLength === 0, 'the slow client to read');
        await frontend.push([slow], 'the last');
        await until(() => slow.bodies.at(-1) === 'the last', 'the last message');
        assert.strictEqual(slow.bodies.length, pushed - slowDropped + 1);
      });
    }

    test('without maxBuffered a client that does not read loses nothing', async () => {
      await start();
      const [slow] = await joinInTurn('plain');
      slow.pause();
      const bodies = Array.from({ length: 12 }, (_, i) => String(i).padEnd(MIB, 'x'));
      for (const body of bodies) await frontend.push([slow], body);
      assert.ok(slow.raw.writableLength > 0);
      slow.resume();
      await gets(slow, bodies);
    });
  });
}
