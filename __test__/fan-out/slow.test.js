'use strict';

/**
 * Clients that stop to read, at real frontends with a limit for what waits for them: of each kind one does not read and
 * one does. What is logged, and the sessions' own events, are in scheduler.test.js. SLOW_PUSHES=n pushes n MiB.
 */

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { certificates } = require('../support/certificates');
const { removeFolder } = require('../support/remove');
const { until } = require('../support/until');
const { Client } = require('./client');
const { Frontends } = require('./frontends');

const TIMEOUT = 120000;
const MIB = 1 << 20;
/** More than the system keeps for a connection on either side. */
const PUSHES = Number(process.env.SLOW_PUSHES) || 24;

const ways = {
  'WebSocket and TCP': { kinds: ['plain', 'tcp', 'deflate'] },
  TLS: { kinds: ['plain', 'tcp'], secure: true },
};

for (const framework of ['pomelo', 'pinus']) {
  describe(`clients of ${framework} that do not read`, () => {
    const frontends = new Frontends();
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fan-out-'));
    let files;

    before(() => {
      const hosts = ['IP:127.0.0.1'];
      ({ files } = certificates(folder).authority('ca').sign('frontend', { hosts }));
    });

    after(async () => {
      await frontends.close();
      removeFolder(folder);
    });

    /** Pushes messages of 1 MiB to all who are there; each client that reads has it before the next. */
    async function flood({ kinds, secure }, onSlow) {
      const frontend = await frontends.start({
        framework,
        deflate: !secure,
        tls: secure ? files : undefined,
        fanOut: { maxBuffered: MIB, onSlow },
      });
      const join = (name) =>
        Promise.all(
          kinds.map((kind) =>
            frontend.join(
              new Client({ uid: `${name} ${kind}`, kind, port: frontend.port, secure }),
            ),
          ),
        );
      const slow = await join('slow');
      const quick = await join('quick');
      for (const client of slow) client.pause();
      const all = [...slow, ...quick].map(({ uid }) => uid);
      const push = (n, size) => frontend.turn({ do: 'schedule', to: all, n, size });
      for (let n = 1; n <= PUSHES; n += 1) {
        await push(n, MIB);
        for (const client of quick) await client.until(({ content }) => content?.n === n);
        for (const { uid, kind } of slow) {
          const isBound = (await frontend.call('bound')).includes(uid);
          const waiting = isBound ? await frontend.call('buffered', uid) : 0;
          // With compression, a message that ws is at work on is not counted when the next one comes.
          const most = (kind === 'deflate' ? 3 : 2) * MIB + 100;
          assert.ok(waiting <= most, `${waiting} bytes wait for ${uid}`);
        }
      }
      return { frontend, slow, quick, push };
    }

    const numbers = (last) => Array.from({ length: last }, (_, i) => i + 1);

    function assertWhole(clients) {
      for (const { uid, items, foreign } of clients) {
        const bad = items.map(({ type }) => type).filter((type) => type.startsWith('bad'));
        assert.deepStrictEqual([bad, foreign], [[], []], uid);
      }
    }

    for (const [name, way] of Object.entries(ways)) {
      const test = (title, fn) => it(`${title} (${name})`, { timeout: TIMEOUT }, fn);

      test('drop: they lose whole messages until they read again, and the others none', async () => {
        const { frontend, slow, quick, push } = await flood(way, 'drop');
        for (const client of slow) client.resume();
        for (const { uid } of slow) {
          await until(async () => !(await frontend.call('buffered', uid)), `${uid} to read`, 30000);
        }
        const last = PUSHES + 1;
        await push(last, 1000);
        for (const client of [...slow, ...quick]) {
          await client.until(({ content }) => content?.n === last);
        }
        for (const client of quick) assert.deepStrictEqual(client.numbers, numbers(last));
        let lost = 0;
        for (const client of slow) {
          const got = client.numbers;
          assert.deepStrictEqual(
            got,
            [...new Set(got)].sort((a, b) => a - b),
          );
          assert.ok(got.length < last, `${client.uid} lost none`);
          lost += last - got.length;
        }
        assertWhole([...slow, ...quick]);
        const { slowDropped, slowClosed } = await frontend.call('stats');
        assert.deepStrictEqual([slowDropped, slowClosed], [lost, 0]);
        await frontends.stop(frontend);
      });

      test('close: their sessions end, and the others get all', async () => {
        const { frontend, slow, quick } = await flood(way, 'close');
        const bound = await frontend.call('bound');
        assert.deepStrictEqual(bound.sort(), quick.map(({ uid }) => uid).sort());
        for (const client of slow) {
          client.resume();
          await client.seen(() => client.closed, 'the end of a slow client');
          // What it had of the last message is cut.
          assert.deepStrictEqual(client.numbers, numbers(client.numbers.length));
        }
        for (const client of quick) {
          assert.deepStrictEqual(client.numbers, numbers(PUSHES));
          assert.ok(!client.closed);
        }
        assertWhole([...slow, ...quick]);
        const { slowDropped, slowClosed } = await frontend.call('stats');
        assert.deepStrictEqual([slowDropped, slowClosed], [0, slow.length]);
        await frontends.stop(frontend);
      });
    }
  });
}
