'use strict';

/**
 * What the inspector's page does with names that were made to deceive: names of channels, uids and server ids are shown as
 * text, with escapes for what is not seen, and other pages in the browser get nothing.
 */

const assert = require('node:assert');
const http = require('node:http');
const { once } = require('node:events');
const { after, before, describe, it } = require('node:test');
const redisServer = require('../support/redis');
const { started, stopAll } = require('../support/service');
const { until } = require('../support/until');
const { InspectorPage } = require('./support');

/** name → how it is shown, if not as it is. */
const NAMES = new Map([
  ['<img src=x onerror=alert(1)>', null],
  ['"><script>alert(1)</script>', null],
  ["'-alert(1)-'", null],
  ['{{7*7}}${7*7}', null],
  ['javascript:alert(1)', null],
  ['&lt;b&gt;&amp;', null],
  ['../../../etc/passwd', null],
  ['%2e%2e%2f%00', null],
  ['a&name=b#/problems?x=y', null],
  ['__proto__', null],
  ['\u0645\u0631\u062d\u0628\u0627', null],
  ['\u{1f600}', null],
  ['admin\u202egnp.exe', 'admin\\u202egnp.exe'],
  ['\u2066isolated\u2069', '\\u2066isolated\\u2069'],
  ['nul\0nul', 'nul\\x00nul'],
  ['line\nfeed\r\ttab', 'line\\x0afeed\\x0d\\x09tab'],
  ['\u001b[31mred', '\\x1b[31mred'],
  ['zero\u200bwidth\ufeff', 'zero\\u200bwidth\\ufeff'],
  ['no\u00a0break\u3164filler', 'no\\xa0break\\u3164filler'],
  ['private\ue000\u{e0041}tag', 'private\\ue000\\u{e0041}tag'],
  [`z${'\u0301'.repeat(12)}`, `z${'\u0301'.repeat(4)}${'\\u0301'.repeat(8)}`],
  ['k'.repeat(1024), `${'k'.repeat(120)}\u2026 1,024 characters`],
]);

const options = { timeout: 60000 };

/** A line of the log of events without the time before it. */
const withoutTime = (line) => line.replace(/^\d\d:\d\d:\d\d /, '');

describe('hostile names on the page of the inspector', { timeout: 180000 }, () => {
  let redis;
  let ui;
  let page;

  before(async () => {
    redis = await redisServer.start();
    for (const name of NAMES.keys()) {
      await redis.run(0, 'sadd', `POMELO:CHANNEL:${name}:c-1`, `member of ${name.slice(0, 20)}`);
    }
    await redis.run(0, 'sadd', 'POMELO:CHANNEL:all:c-1', ...NAMES.keys(), '');
    for (const name of NAMES.keys()) {
      if (name.includes(':')) continue;
      await redis.run(0, 'sadd', `POMELO:CHANNEL:everywhere:${name}`, 'ann');
    }
    await redis.run(0, 'sadd', 'POMELO:CHANNEL:bytes:c-1', Buffer.from([0xff, 0xfe, 0x41]));
    await redis.run(0, 'set', 'POMELO:CHANNEL:<b>bold</b>\u202e:c-1', 'no set');
    ui = await InspectorPage.open(`redis://127.0.0.1:${redis.port}/0`, '--events');
    ({ page } = ui);
  });

  after(async () => {
    await ui?.close();
    await stopAll();
    await redis.stop();
  });

  /** Events are of server ids without a colon. */
  const sidOf = (name) => (name.includes(':') ? 'c-1' : name);

  const shown = (names) => names.map((name) => NAMES.get(name) ?? name).sort();

  /** All rows of a view, over its pages; of each the first cell. */
  async function firstCells(view, query, caption) {
    const seen = [];
    await ui.visit(view, query);
    for (;;) {
      const table = page.getByRole('table', { name: caption });
      seen.push(...(await table.locator('tbody th').allTextContents()));
      const next = page.getByRole('link', { name: 'Next page' });
      if ((await next.count()) === 0) return seen.sort();
      const url = page.url();
      await next.click();
      await page.waitForURL((now) => now.href !== url);
      await ui.drawn();
    }
  }

  it('shows names of channels as text', options, async () => {
    const found = await firstCells('channels', {}, /on this page/);
    const expected = shown([...NAMES.keys(), 'all', 'bytes', 'everywhere']);
    assert.deepStrictEqual(found, expected);
  });

  it('shows uids as text, the empty one too', options, async () => {
    const found = await firstCells('channel', { name: 'all' }, /on this page/);
    assert.deepStrictEqual(found, shown([...NAMES.keys(), 'empty']));
  });

  it('shows server ids as text', options, async () => {
    await ui.visit('channel', { name: 'everywhere' });
    const table = page.getByRole('table', { name: /frontends/ });
    const found = await table.locator('tbody th').allTextContents();
    const sids = [...NAMES.keys()].filter((name) => !name.includes(':'));
    assert.deepStrictEqual(found.sort(), shown(sids));
  });

  it('shows server ids as text where all frontends are', options, async () => {
    await ui.visit('frontends');
    const found = (await ui.rows(/frontends/)).map(([sid]) => sid);
    const sids = [...NAMES.keys()].filter((name) => !name.includes(':'));
    for (const sid of shown(sids)) assert.ok(found.includes(sid), `${sid} in ${found}`);
  });

  it('shows who joins, and where, as text', options, async () => {
    const service = await started(redis, { events: true });
    await ui.visit('channel', { name: 'watched' });
    await page.getByRole('button', { name: 'Watch' }).click();
    const log = page.getByRole('log');
    await log.getByText('changes before this').waitFor();
    for (const name of NAMES.keys()) await service.promises.add('watched', name, sidOf(name));
    const lines = async () => (await log.locator('.join').allTextContents()).map(withoutTime);
    await until(async () => (await lines()).length === NAMES.size, 'all joins', 30000);
    const expected = [...NAMES.keys()].map((name) => {
      const [who, where] = [shown([name]), shown([sidOf(name)])];
      return `${who} joined on ${where} (call)`;
    });
    assert.deepStrictEqual((await lines()).sort(), expected.sort());
    const made = await log.evaluate((element) => element.querySelectorAll('img, script, b').length);
    assert.strictEqual(made, 0);
  });

  it('shows bytes that are no text as replacement characters', options, async () => {
    await ui.visit('channel', { name: 'bytes' });
    const [[uid]] = await ui.rows('1 member on this page');
    assert.strictEqual(uid, '\ufffd\ufffdA');
  });

  it('leads from each name to its channel, and to its user', options, async () => {
    for (const name of NAMES.keys()) {
      await ui.visit('channels', { match: name.replace(/[*?[\]\\]/g, '\\$&') });
      await page.getByRole('table').locator('tbody th a').first().click();
      await page.waitForURL(/#\/channel\?/);
      await ui.drawn();
      const heading = await ui.heading();
      const whole = name.length > 1000 ? name : (NAMES.get(name) ?? name);
      assert.strictEqual(heading, `Channel ${whole}`);
      const [[uid]] = await ui.rows('1 member on this page');
      assert.match(uid, /^member of /);
      assert.doesNotMatch(await page.title(), /[\p{Cc}\p{Cf}]/u, 'nothing hidden in the title');
      await page
        .getByRole('table', { name: /on this page/ })
        .locator('th a')
        .click();
      await page.waitForURL(/#\/user\?/);
      await ui.drawn();
      assert.match(await ui.heading(), /^User member of /);
    }
  });

  it('shows no element that a name holds, and runs nothing', options, async () => {
    for (const [view, query] of [
      ['', {}],
      ['frontends', {}],
      ['channels', {}],
      ['channel', { name: 'all' }],
      ['channel', { name: 'everywhere' }],
      ['problems', {}],
      ['user', { uid: '<img src=x onerror=alert(1)>' }],
    ]) {
      await ui.visit(view, query);
      const made = await page.evaluate(
        () => document.querySelectorAll('main :is(img, script, b, iframe)').length,
      );
      // The spread over frontends is bold.
      const bold = await page.evaluate(() => document.querySelectorAll('.spread b').length);
      assert.strictEqual(made - bold, 0, view);
      await page.setViewportSize({ width: 360, height: 800 });
      assert.deepStrictEqual(await ui.outside(), [], `${view}: nothing sticks out`);
      await page.setViewportSize({ width: 1280, height: 900 });
    }
    assert.deepStrictEqual(ui.complaints, []);
  });

  it('what is copied has no character that is not seen', options, async () => {
    await ui.visit('problems');
    await page.getByRole('button', { name: 'Search the whole store' }).click();
    await page.getByText('All keys searched.').waitFor();
    const problem = page.locator('.problem', { hasText: '<b>bold</b>\\u202e' });
    const command = await problem.locator('code').textContent();
    await problem.getByRole('button', { name: 'Copy' }).click();
    await problem.getByText('Copied').waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.strictEqual(copied, command);
    assert.match(copied, /unlink/);
    assert.doesNotMatch(copied, /[\p{Cc}\p{Cf}]/u);
  });

  it('answers nothing that another page can read, frame or run', options, async () => {
    const server = http.createServer((_request, response) => {
      response.setHeader('Content-Type', 'text/html');
      response.end('<!doctype html><title>Another page</title>');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const other = await ui.context.newPage();
    try {
      await other.goto(`http://127.0.0.1:${server.address().port}/`);
      const { url } = ui.inspector;
      const outcome = await other.evaluate(async (own) => {
        const load = (tag, properties) =>
          new Promise((resolve) => {
            const element = Object.assign(document.createElement(tag), properties);
            element.addEventListener('load', () => resolve('loaded'));
            element.addEventListener('error', () => resolve('refused'));
            document.body.append(element);
          });
        const fetched = (mode) =>
          fetch(`${own}api/overview`, { mode }).then(
            () => 'answered',
            () => 'refused',
          );
        const frame = document.createElement('iframe');
        const framed = new Promise((resolve) => frame.addEventListener('load', resolve));
        frame.src = own;
        document.body.append(frame);
        await framed;
        return {
          cors: await fetched('cors'),
          noCors: await fetched('no-cors'),
          script: await load('script', { src: `${own}page.js` }),
          style: await load('link', { rel: 'stylesheet', href: `${own}theme.css` }),
          frames: frame.contentDocument === null ? 'closed' : 'open',
        };
      }, url);
      assert.deepStrictEqual(outcome, {
        cors: 'refused',
        noCors: 'refused',
        script: 'refused',
        style: 'refused',
        frames: 'closed',
      });
      const [framed] = other.frames().slice(1);
      const ours = 'Global channel inspector';
      assert.ok(!(await framed.content()).includes(ours), 'nothing of the page is in the frame');
      // A link of another page is refused too.
      const answered = other.waitForResponse(url);
      await other.evaluate((own) => {
        location.href = own;
      }, url);
      const answer = await answered;
      assert.strictEqual(answer.status(), 403);
    } finally {
      await other.close();
      server.close();
    }
  });
});
