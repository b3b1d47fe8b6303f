'use strict';

/**
 * A real browser, which offers permessage-deflate whether asked or not: what a page in Chromium gets is what was
 * pushed, in order, some of it compressed and some not.
 */

const assert = require('node:assert');
const { after, before, describe, it } = require('node:test');
const { chromium } = require('playwright-core');
const { chromiumProgram } = require('../../scripts/chromium');
const { until } = require('../support/until');
const bodies = require('./bodies');
const { Frontends } = require('./frontends');

const TIMEOUT = 120000;
const SIZES = [50, 3000, 10, 200, 40000, 1, 5000, 1000, 200000, 7, 2000, 2000, 30, 1 << 20, 60];
const UIDS = ['u0', 'u1', 'u2'];
const ROUNDS = 4;

/** Runs in the page: a client of pomelo that keeps the text of each message. */
function connect(port) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  const page = globalThis;
  page.messages = [];
  socket.binaryType = 'arraybuffer';
  const text = new TextDecoder();
  const send = (type, body) => {
    const bytes = new TextEncoder().encode(body);
    socket.send(new Uint8Array([type, 0, bytes.length >> 8, bytes.length & 0xff, ...bytes]));
  };
  return new Promise((resolve, reject) => {
    socket.addEventListener('error', () => reject(new Error('no connection')));
    socket.addEventListener('open', () => send(1, '{"sys":{"type":"js","version":"0"}}'));
    socket.addEventListener('message', ({ data }) => {
      const [type] = new Uint8Array(data, 0, 1);
      if (type === 1) send(2, '');
      if (type === 3) resolve(socket.extensions);
      if (type === 4) page.messages.push(text.decode(new Uint8Array(data, 4)));
    });
  });
}

for (const framework of ['pomelo', 'pinus']) {
  describe(`Chromium at a frontend of ${framework}`, () => {
    const frontends = new Frontends();
    let frontend;
    let browser;
    let pages;

    before(async () => {
      frontend = await frontends.start({ framework, deflate: true, fanOut: true });
      browser = await chromium.launch({ executablePath: chromiumProgram() });
      pages = await Promise.all(UIDS.map(() => browser.newPage()));
    });

    after(async () => {
      await browser?.close();
      await frontends.close();
    });

    it('gets all messages, in order, small and large ones', { timeout: TIMEOUT }, async () => {
      for (const [i, uid] of UIDS.entries()) {
        const extensions = await pages[i].evaluate(connect, frontend.port);
        assert.match(extensions, /permessage-deflate/);
        await until(() => frontend.call('bind', 0, uid), `${uid} to be bound`);
      }
      const expected = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const ops = SIZES.map((size, i) => ({
          do: 'schedule',
          n: round * 40 + i,
          to: UIDS,
          size,
        }));
        expected.push(...ops.map(({ n, size }) => String(bodies.encoded(n, UIDS, size))));
        await frontend.turn(...ops);
      }
      for (const page of pages) {
        const came = () => page.evaluate(() => globalThis.messages.length);
        await until(async () => (await came()) >= expected.length, 'all messages', TIMEOUT / 2);
        const messages = await page.evaluate(() => globalThis.messages);
        assert.deepStrictEqual(
          messages.map((text) => text.slice(0, 40)),
          expected.map((text) => text.slice(0, 40)),
        );
        assert.ok(
          messages.every((text, i) => text === expected[i]),
          'the same content',
        );
      }
      const { native, reasons } = await frontend.call('stats');
      assert.ok(
        native > 0 && reasons.deflate > 0,
        `${native} natively, ${reasons.deflate} deflated`,
      );
    });
  });
}
