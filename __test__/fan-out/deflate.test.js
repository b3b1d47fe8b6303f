'use strict';

/**
 * Clients that negotiated permessage-deflate: small messages come uncompressed and large ones compressed, in a context
 * that lasts from message to message, in the order in which they were sent. Decompressed by the `ws` library, and by
 * our own reading of the bytes (wire.js); Chromium is in chromium.test.js.
 */

const assert = require('node:assert');
const { after, before, describe, it } = require('node:test');
const fc = require('fast-check');
const { Client } = require('./client');
const { Frontends } = require('./frontends');
const { WsClient } = require('./library-clients');
const { playBoth, assertSame, schedules } = require('./schedule');

const TIMEOUT = 120000;
const RUNS = Math.ceil((Number(process.env.FANOUT_RUNS) || 40) / 6);
const SEED = process.env.FANOUT_SEED ? { seed: Number(process.env.FANOUT_SEED) } : {};
const KINDS = ['deflate', 'deflate', 'fresh', 'plain', 'deflate'];
const ALL = KINDS.map((_, i) => `u${i}`);

const byLibrary = (uid, kind, { port }) => new WsClient({ uid, kind, port });

const push = (size, more) => ({ do: 'schedule', to: ALL, size, ...more });
const all = (sizes) => sizes.map((size) => push(size));

/** Small and large by turns, which is where one may overtake the other. */
const SIZES = [50, 3000, 10, 200, 40000, 1, 0, 5000, 1000, 200000, 7, 2000, 2000, 30];

for (const framework of ['pomelo', 'pinus']) {
  describe(`permessage-deflate with ${framework}`, () => {
    const frontends = new Frontends();
    let pair;

    const start = (fanOut) => frontends.start({ framework, deflate: true, fanOut });

    before(async () => {
      const [on, off] = await Promise.all([start(true), start(false)]);
      pair = { on, off };
    });

    after(() => frontends.close());

    const test = (title, fn) => it(title, { timeout: TIMEOUT }, fn);

    test('the ws library reads all messages, in order, compressed and not by turns', async () => {
      const steps = [
        { turn: all(SIZES) },
        { turn: [...all(SIZES), { do: 'respond', to: ['u0'], size: 3000 }, ...all(SIZES)] },
        ...SIZES.map((size) => ({ turn: [push(size), push(size + 20, { do: 'uids' })] })),
        { turn: [push(30000), push(20), { do: 'heartbeat', to: ['u1'] }, push(90)] },
        { turn: [push(30000), push(20), { do: 'kick', to: ['u4'] }, push(90)] },
      ];
      assertSame(await playBoth(pair, { kinds: KINDS, steps }, byLibrary), { bytes: false });
      const { native, reasons } = await pair.on.call('stats');
      assert.ok(
        native > 0 && reasons.deflate > 0,
        `${native} natively, ${reasons.deflate} deflated`,
      );
    });

    test('so it does in any interleaving', async () => {
      const kinds = fc.constant(['deflate', 'fresh', 'deflate', 'plain', 'deflate', 'fresh']);
      const cases = fc.tuple(schedules, kinds).map(([{ steps }, its]) => ({
        kinds: its,
        steps: steps.filter(({ join }) => !join),
      }));
      const property = fc.asyncProperty(cases, async (schedule) => {
        assertSame(await playBoth(pair, schedule, byLibrary), { bytes: false });
      });
      await fc.assert(property, { numRuns: RUNS, includeErrorInReport: true, ...SEED });
    });

    /**
     * The sizes of the messages that came to a client compressed. Each is waited for: what is sent while a message is
     * being compressed is behind it in the queue of `ws`, which compresses it too.
     */
    async function compressedBy(frontend, sizes) {
      const { port } = frontend;
      const clients = ['deflate', 'plain', 'deflate'].map(
        (kind, i) => new Client({ uid: `u${i}`, kind, port }),
      );
      for (const client of clients) await frontend.join(client);
      for (const [n, size] of sizes.entries()) {
        await frontend.turn(push(size, { n }));
        await Promise.all(clients.map((client) => client.until(({ content }) => content?.n === n)));
      }
      await frontend.call('forget');
      const [, , { items }] = clients;
      return items.filter(({ content, compressed }) => content && compressed).map(sizeOf);
    }
    const sizeOf = ({ body }) => body.length;

    test('messages below 1,024 bytes are not compressed, larger ones are', async () => {
      const sizes = [60, 3000, 500, 1000, 100000, 1100, 90];
      assert.deepStrictEqual(await compressedBy(pair.off, sizes), sizes);
      assert.deepStrictEqual(await compressedBy(pair.on, sizes), [3000, 100000, 1100]);
    });

    test('the threshold is an option; 0 compresses all', async () => {
      const sizes = [60, 3000, 500, 100];
      const lower = await start({ deflateThreshold: 200 });
      assert.deepStrictEqual(await compressedBy(lower, sizes), [3000, 500]);
      const none = await start({ deflateThreshold: 0 });
      assert.deepStrictEqual(await compressedBy(none, sizes), sizes);
    });
  });
}
