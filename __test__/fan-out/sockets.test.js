'use strict';

/**
 * Sockets that cannot take a message now, or not any more, or that are not what the fan-out knows: each gets what the
 * framework would have sent to it, in the same order, and no descriptor that was closed is written to. What bytes.test.js
 * meets by chance, one by one.
 */

const assert = require('node:assert');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const { after, afterEach, before, describe, it } = require('node:test');
const { pause, until } = require('../support/until');
const { removeFolder } = require('../support/remove');
const { Client } = require('./client');
const { Frontends } = require('./frontends');
const { playBoth, assertSame } = require('./schedule');
const { LARGEST } = require('./bodies');

const TIMEOUT = 60000;
const KINDS = ['plain', 'plain', 'tcp', 'plain', 'tcp', 'plain'];
const ALL = KINDS.map((_, i) => `u${i}`);

/** To all of them. */
const push = (more) => ({ do: 'schedule', to: ALL, size: 200, ...more });
const broadcast = (at, op, more) => ({
  do: 'broadcast',
  to: ALL,
  size: 200,
  binded: false,
  act: { at, op },
  ...more,
});
const to = (uid, name, more) => ({ do: name, to: [uid], ...more });

for (const framework of ['pomelo', 'pinus']) {
  describe(`sockets of ${framework} that are not ready`, () => {
    const frontends = new Frontends();
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fan-out-'));
    const place = path.join(folder, 'socket');
    let pair;
    let trap;
    let trapped = 0;

    before(async () => {
      pair = await frontends.pair({ framework });
      trap = net.createServer((socket) => {
        socket.on('data', (chunk) => (trapped += chunk.length));
        socket.on('error', () => {});
      });
      await new Promise((resolve) => trap.listen(place, resolve));
    });

    afterEach(() => Promise.all([pair.on.call('forget'), pair.off.call('forget')]));

    after(async () => {
      await frontends.close();
      trap.close();
      removeFolder(folder);
    });

    /** Plays these steps with the fan-out and without it, and compares. */
    async function same(steps, kinds = KINDS) {
      const plays = await playBoth(pair, { kinds, steps });
      assertSame(plays);
      return plays;
    }

    const test = (title, fn) => it(title, { timeout: TIMEOUT }, fn);

    /** What takes the place of a descriptor that was just closed. */
    const trapDoors = { do: 'trap', path: place, count: 8 };
    const assertNothingTrapped = () =>
      assert.strictEqual(trapped, 0, 'bytes that went to a connection of somebody else');

    test('all that are ready get it', async () => {
      const { on } = await same([{ turn: [push(), push({ do: 'uids' })] }, { turn: [push()] }]);
      for (const { numbers } of on.clients.values()) assert.deepStrictEqual(numbers, [1, 2, 3]);
      const [stats, none] = [await pair.on.call('stats'), await pair.off.call('stats')];
      assert.ok(stats.native >= 3 * ALL.length, JSON.stringify(stats));
      assert.deepStrictEqual([none.native, none.shared], [0, 0]);
    });

    test('messages of each length at which the head of a frame, or the way of ws, changes', async () => {
      // A Package adds 4 bytes.
      const edges = [0, 125 - 4, 32768 - 4, 65536 - 4];
      const sizes = edges.flatMap((edge) => [-2, -1, 0, 1, 2].map((more) => edge + more));
      await same(sizes.filter((size) => size >= 0).map((size) => ({ turn: [push({ size })] })));
    });

    test('a client that stops to read gets all of it later, in order, and the others do not wait for it', async () => {
      const large = Array.from({ length: 10 }, () => ({ turn: [push({ size: LARGEST })] }));
      const small = Array.from({ length: 20 }, (_, i) => ({
        turn: [push({ size: 10 + i }), to('u0', 'respond', { size: 50 }), push({ do: 'uids' })],
      }));
      const steps = [
        { pause: 'u0' },
        { pause: 'u2' },
        ...large,
        { buffered: ['u0', 'u2'] },
        ...small,
      ];
      steps.push({ resume: 'u0' }, { turn: [push()] }, { turn: [push()] });
      const { on, off } = await same(steps);
      for (const { waited } of [on, off]) {
        // Otherwise the sockets' own buffers took it all, and nothing was tested.
        for (const bytes of waited) assert.ok(bytes > 0, `${waited} bytes waited in the process`);
      }
    });

    test('a corked socket gets nothing before it is uncorked', async () => {
      const { on } = pair;
      const clients = ['plain', 'tcp', 'plain'].map(
        (kind, i) => new Client({ uid: `u${i}`, kind, port: on.port }),
      );
      for (const client of clients) await on.join(client);
      await on.turn(to('u0', 'cork'), to('u1', 'cork'), push({ n: 1 }));
      await on.turn(push({ n: 2 }));
      await clients[2].until(({ content }) => content?.n === 2);
      assert.deepStrictEqual([clients[0].numbers, clients[1].numbers], [[], []]);
      await on.turn(to('u0', 'uncork'), to('u1', 'uncork'), push({ n: 3 }));
      for (const client of clients) {
        await client.until(({ content }) => content?.n === 3);
        assert.deepStrictEqual(client.numbers, [1, 2, 3]);
        client.leave();
      }
    });

    test('what waits in a corked socket comes in order', () =>
      same([
        { turn: [to('u0', 'cork'), to('u2', 'cork'), push(), to('u0', 'respond', { size: 9 })] },
        { turn: [push({ size: 0 }), to('u2', 'uncork'), push()] },
        { turn: [push(), to('u0', 'uncork'), push()] },
      ]));

    test("the app's own words on a socket stay where they are among the pushes", () =>
      same([
        { turn: [push(), to('u1', 'ownSend', { size: 70000 }), push(), to('u1', 'ping'), push()] },
        {
          turn: [to('u2', 'ownSend', { size: LARGEST }), push(), to('u2', 'ownSend', { size: 1 })],
        },
      ]));

    test('a message is not put into the middle of one that was sent in part', () =>
      same([
        { turn: [push(), to('u0', 'fragment', { size: 50 }), push(), push()] },
        { turn: [push()] },
      ]));

    test('who is kicked in the same turn gets what came before, the kick, and nothing else', async () => {
      const { on } = await same([
        { turn: [push(), to('u0', 'kick'), push(), to('u5', 'kick'), push({ do: 'uids' })] },
        { turn: [push()] },
      ]);
      assert.deepStrictEqual(on.clients.get('u0').numbers, [1]);
      assert.deepStrictEqual(on.clients.get('u5').numbers, [1, 3]);
    });

    test('nothing is sent to a socket after the end of its stream', () =>
      same([
        { turn: [push(), to('u0', 'end'), push(), to('u2', 'end'), push()] },
        { turn: [push()] },
      ]));

    for (const uid of ['u0', 'u2', 'u5']) {
      test(`the descriptor of ${uid}, closed before a push, is not written to`, async () => {
        await same([
          { turn: [push()] },
          { turn: [to(uid, 'destroy'), trapDoors, push(), push({ do: 'uids' })] },
          { turn: [push()] },
        ]);
        assertNothingTrapped();
      });

      test(`the descriptor of ${uid}, closed in the middle of a broadcast, is not written to`, async () => {
        const closing = { do: 'several', ops: [to(uid, 'destroy'), trapDoors] };
        for (const binded of [true, false]) {
          for (const at of ['u0', 'u3', 'u5']) {
            await same([{ turn: [push(), broadcast(at, closing, { binded }), push()] }]);
            assertNothingTrapped();
          }
        }
      });
    }

    test('what a filter of broadcasts sends itself comes after what was sent before it', async () => {
      const steps = ['u0', 'u2', 'u3', 'u5'].flatMap((at) => [
        { turn: [broadcast(at, push())] },
        { turn: [broadcast(at, push({ do: 'uids', size: 70000 }), { binded: true })] },
        { turn: [broadcast(at, to('u0', 'respond', { size: 20 }))] },
        { turn: [broadcast(at, broadcast('u1', push()))] },
      ]);
      await same(steps);
    });

    test('a filter of broadcasts that kicks, or fails, leaves what was sent before it', async () => {
      for (const at of ['u0', 'u3', 'u5']) {
        await same([{ turn: [broadcast(at, to('u3', 'kick')), push()] }, { turn: [push()] }]);
        await same([{ turn: [broadcast(at, { do: 'fail' }), push()] }, { turn: [push()] }]);
      }
    });

    test('new clients on descriptors that have just been closed get their own messages only', async () => {
      const steps = [];
      for (let i = 0; i < 6; i += 1) {
        const how = i % 2 ? 'fin' : 'reset';
        steps.push({ turn: [push({ size: 70000 })] }, { leave: `u${i}`, how, race: true });
        steps.push({ turn: [push()] }, { join: 'plain' }, { turn: [push({ to: [`u${6 + i}`] })] });
      }
      await same(steps);
    });

    for (const where of ['session', 'socket', 'wire']) {
      test(`an app that replaced \`send\` of the ${where} sees each message`, async () => {
        const { on } = await same([
          { turn: [push()] },
          { turn: [to('u1', 'wrap', { where }), to('u4', 'wrap', { where }), push()] },
          { turn: [push({ do: 'uids' }), push({ size: 5000 })] },
        ]);
        const seen = on.events.filter(([what]) => what === 'wrapped');
        assert.ok(seen.length >= 6, `${seen.length} calls`);
      });
    }

    for (const where of ['service', 'below', 'class']) {
      test(`an app that replaced \`sendMessage\` of the session service (${where}) sees each message`, async () => {
        const all = [push(), push({ do: 'uids', size: 5000 }), to('u0', 'respond', { size: 50 })];
        for (const binded of [true, false]) {
          all.push({ do: 'broadcast', to: ALL, size: 100, binded });
          all.push(broadcast('u3', to('u3', 'kick'), { binded }));
        }
        const before = await pair.on.call('stats');
        const { on } = await same([
          { turn: [push(), { do: 'wrapService', where }, ...all] },
          { turn: [push(), push({ to: ['u1', 'nobody', 'u1'] })] },
        ]);
        const seen = on.events.filter(([what]) => what === 'wrapped');
        const { native, shared, reasons } = await pair.on.call('stats');
        // The first push, and what each client gets at the end, after the app has put its own in.
        assert.ok(seen.length > 40, `${seen.length} calls`);
        assert.strictEqual(native + shared - before.native - before.shared, ALL.length);
        assert.ok(reasons.sessionService - before.reasons.sessionService > 40);
      });
    }

    for (const where of ['socket', 'wire']) {
      test(`an app that changes the bytes in what the ${where} sends with does so to each push`, () =>
        same([
          { turn: [push()] },
          { turn: [to('u1', 'sign', { where }), to('u4', 'sign', { where }), push()] },
          { turn: [push({ do: 'uids' }), push({ size: 5000 }), broadcast('u1', push())] },
        ]));
    }

    test('who is named several times gets it several times, one after the other', () =>
      same([
        { turn: [push({ to: ['u0', 'u2', 'u0', 'u1', 'u2', 'u0'] })] },
        { turn: [push({ to: ['u0', 'u2', 'u0', 'u1', 'u2', 'u0'], size: LARGEST })] },
        { pause: 'u0' },
        { turn: [push({ to: Array.from({ length: 12 }, () => 'u0'), size: LARGEST }), push()] },
      ]));

    test('a broadcast to the bound sessions reaches each as often as it does in the framework', () =>
      same([
        {
          turn: [
            { do: 'share', to: ['u0', 'u3'] },
            { do: 'share', to: ['u2', 'u4'] },
            { do: 'broadcast', to: ALL, size: 100, binded: true },
            { do: 'broadcast', to: ALL, size: LARGEST, binded: true },
            push({ do: 'uids' }),
          ],
        },
      ]));

    for (const where of ['bare', 'raw']) {
      test(`a socket of an unknown library is sent to by its own \`send\` (${where})`, () =>
        same([
          { turn: [push()] },
          { turn: [to('u1', 'replace', { where }), to('u4', 'replace', { where }), push()] },
          { turn: [push({ do: 'uids' }), push({ size: 5000 }), broadcast('u1', push())] },
        ]));
    }

    test('a client gets nothing before its handshake is complete', async () => {
      const { on } = pair;
      const clients = ['plain', 'tcp', 'plain'].map(
        (kind, i) => new Client({ uid: `u${i}`, kind, port: on.port, ack: i === 2 }),
      );
      for (const client of clients) await on.join(client);
      await on.turn(push({ n: 1 }), broadcast('u2', push({ n: 2 }), { n: 3 }));
      for (const client of clients.slice(0, 2)) await client.acknowledge();
      await on.turn(push({ n: 4 }));
      for (const client of clients) await client.until(({ content }) => content?.n === 4);
      assert.deepStrictEqual(
        clients.map(({ numbers }) => numbers),
        [[4], [4], [1, 2, 3, 4]],
      );
      for (const client of clients) client.leave();
    });

    test('a client that only gets pushes is not taken for idle', async () => {
      // With heartbeats each client would be heard of all the time.
      const connectorOptions = { timeout: 3, heartbeat: 0 };
      const frontend = await frontends.start({ framework, fanOut: true, connectorOptions });
      const clients = ['plain', 'tcp'].map(
        (kind, i) => new Client({ uid: `u${i}`, kind, port: frontend.port, heartbeat: false }),
      );
      for (const client of clients) await frontend.join(client);
      let last = Date.now();
      let gap = 0;
      for (const end = last + 5000; last < end; last = Date.now()) {
        await pause(200);
        await frontend.turn(push({ to: ['u0', 'u1'] }));
        gap = Math.max(gap, Date.now() - last);
      }
      const { native } = await frontend.call('stats');
      assert.ok(native > 20, `${native} were sent natively`);
      // On a machine that stood still they were idle.
      if (gap < 2500)
        assert.deepStrictEqual(
          clients.map(({ closed }) => closed),
          [false, false],
        );
      // `ws` switches the timer off.
      const ended = () => clients[1].closed;
      await until(ended, 'the idle TCP client to be closed', TIMEOUT / 2);
      await frontends.stop(frontend);
    });
  });
}
