'use strict';

/**
 * The inspector's page in Chromium, on a Redis with two frontends that hold leases, one whose lease has expired and one without:
 * what its views show, deep links, live events, the keyboard, and accessibility. Hostile names are in hostile.test.js, a
 * million members in large.test.js, the server in inspect/.
 */

const assert = require('node:assert');
const { source: axeSource } = require('axe-core');
const { after, before, describe, it } = require('node:test');
const { ok } = require('../support/call');
const { Leases } = require('../support/leases');
const redisServer = require('../support/redis');
const { started, stopAll } = require('../support/service');
const { until } = require('../support/until');
const { InspectorPage } = require('./support');

const VIEWS = [
  ['', {}],
  ['frontends', {}],
  ['channels', {}],
  ['channel', { name: 'lobby' }],
  ['user', { uid: 'ann' }],
  ['problems', {}],
];

const options = { timeout: 60000 };

describe('the page of the inspector', { timeout: 180000 }, () => {
  let redis;
  let service;
  let ui;
  let page;

  before(async () => {
    redis = await redisServer.start();
    service = await started(redis, { db: 3, events: true });
    const leases = new Leases(service);
    for (const [sid, ttl] of [
      ['connector-1', 600000],
      ['connector-2', 600000],
      ['connector-3', 1],
    ]) {
      await leases.claim(sid, `epoch-of-${sid}`, ttl);
    }
    await leases.add('connector-1', 'ann', 'bob');
    await leases.add('connector-2', 'ann');
    await leases.untilExpired('connector-3');
    for (let i = 0; i < 120; i += 1) {
      await ok(service, 'add', `room-${String(i).padStart(3, '0')}`, `u${i}`, 'connector-1');
    }
    await ok(service, 'add', 'lobby', ['ann', 'bob', 'cid'], 'connector-1');
    await ok(service, 'add', 'lobby', 'ann', 'connector-2');
    await ok(service, 'add', 'lobby', 'old', 'connector-3');
    await ok(service, 'add', 'lobby', 'eve', 'connector-4');
    const uids = Array.from({ length: 250 }, (_, i) => `m${i}`);
    await ok(service, 'add', 'many', uids, 'connector-2');
    await redis.run(3, 'set', 'POMELO:CHANNEL:broken:connector-1', 'no set');
    ui = await InspectorPage.open(`redis://127.0.0.1:${redis.port}/3`, '--events');
    ({ page } = ui);
  });

  after(async () => {
    await ui?.close();
    await stopAll();
    await redis.stop();
  });

  const link = (name) => page.getByRole('link', { name, exact: true });
  const button = (name) => page.getByRole('button', { name, exact: true });

  it('says which store it is, and gives its totals', options, async () => {
    await ui.visit('');
    assert.strictEqual(await page.title(), 'Overview · Global channel inspector');
    const header = await page.getByRole('banner').textContent();
    assert.match(header, new RegExp(`Redis at 127.0.0.1:${redis.port}, prefix POMELO:CHANNEL`));
    const totals = await page.locator('.totals').textContent();
    assert.match(totals, /Channels122/);
    assert.match(totals, /Members376/);
    assert.match(totals, /Users online3/);
    assert.match(totals, /Frontends42 with a lease, 1 expired, 1 without/);
  });

  it('can be searched while the store is being counted', options, async () => {
    await page.goto('about:blank');
    redis.pause();
    try {
      await page.goto(ui.inspector.url);
      await page.getByText('Counting').waitFor();
      await page.getByRole('textbox', { name: 'Search channels' }).fill('lob*');
    } finally {
      redis.resume();
    }
    await page.locator('.totals').waitFor();
    const focused = await page.evaluate(() => document.activeElement.value);
    assert.strictEqual(focused, 'lob*', 'neither the text nor the focus is lost');
  });

  it('shows each frontend with the state of its lease, in words', options, async () => {
    await ui.visit('');
    await link('Frontends').click();
    await page.getByRole('table', { name: '4 frontends' }).waitFor();
    const rows = await ui.rows('4 frontends');
    assert.deepStrictEqual(
      rows.map(([sid, lease, epoch, , online, channels, members]) => [
        sid,
        lease.split(' ').slice(0, 2).join(' '),
        epoch,
        online,
        channels,
        members,
      ]),
      [
        ['connector-1', 'held expires', 'epoch-of-connector-1', '2', '121', '123'],
        ['connector-2', 'held expires', 'epoch-of-connector-2', '1', '2', '251'],
        ['connector-3', 'expired', '', '0', '1', '1'],
        ['connector-4', 'no lease', '', '0', '1', '1'],
      ],
    );
    assert.strictEqual(await link('Frontends').getAttribute('aria-current'), 'page');
  });

  it('finds channels by a glob, with their frontends', options, async () => {
    await ui.visit('channels');
    await page.getByRole('textbox', { name: 'Search channels' }).fill('lob*');
    await button('Search').click();
    await page.getByRole('table', { name: '1 channel on this page' }).waitFor();
    const [[name, count, spread]] = await ui.rows('1 channel on this page');
    assert.deepStrictEqual([name, count], ['lobby', '6']);
    assert.match(spread, /^connector-1 3/);
    assert.match(page.url(), /#\/channels\?match=lob/);
    await page.getByRole('textbox', { name: 'Search channels' }).fill('nothing*');
    await button('Search').click();
    await page.getByText('No channel.').waitFor();
  });

  it('shows all channels page by page, each once', options, async () => {
    await ui.visit('channels', { match: 'room-*' });
    const seen = [];
    for (let pages = 1; ; pages += 1) {
      const table = page.getByRole('table');
      seen.push(...(await table.locator('tbody th').allTextContents()));
      if ((await link('Next page').count()) === 0) break;
      assert.ok(pages < 20);
      const url = page.url();
      await link('Next page').click();
      await page.waitForURL((now) => now.href !== url);
      await ui.drawn();
    }
    assert.strictEqual(seen.length, 120);
    assert.strictEqual(new Set(seen).size, 120);
    await link('First page').click();
    await page.waitForURL((now) => !now.href.includes('cursor'));
    await page.goBack();
    await ui.drawn();
    assert.ok(page.url().includes('cursor'), 'Back returns to the page before');
  });

  it(
    'a channel: its frontends, its members page by page, those of one frontend',
    options,
    async () => {
      await ui.visit('channel', { name: 'lobby' });
      assert.deepStrictEqual(
        (await ui.rows('6 members on 4 frontends')).map((cells) => cells.slice(0, 2)),
        [
          ['connector-1', '3'],
          ['connector-2', '1'],
          ['connector-3', '1'],
          ['connector-4', '1'],
        ],
      );
      const members = await ui.rows('6 members on this page');
      assert.deepStrictEqual(members.map(([uid, sid]) => `${uid}@${sid}`).sort(), [
        'ann@connector-1',
        'ann@connector-2',
        'bob@connector-1',
        'cid@connector-1',
        'eve@connector-4',
        'old@connector-3',
      ]);
      await link('connector-2').click();
      await page.getByRole('table', { name: '1 member on connector-2 on this page' }).waitFor();

      await ui.visit('channel', { name: 'many' });
      const seen = new Set();
      for (;;) {
        const table = page.getByRole('table', { name: /on this page/ });
        for (const uid of await table.locator('tbody th').allTextContents()) seen.add(uid);
        if ((await link('Next page').count()) === 0) break;
        const url = page.url();
        await link('Next page').click();
        await page.waitForURL((now) => now.href !== url);
        await ui.drawn();
      }
      assert.strictEqual(seen.size, 250);
    },
  );

  it('a user: where he is online, and in which channels, after a search', options, async () => {
    await ui.visit('user');
    await page.getByRole('textbox', { name: 'Find a user' }).fill('ann');
    await button('Find').click();
    await page.waitForURL(/uid=ann/);
    await ui.drawn();
    const online = page.getByRole('region', { name: 'Online' });
    assert.deepStrictEqual(await online.locator('li').allTextContents(), [
      'connector-1',
      'connector-2',
    ]);
    await button('Search the keys for more').click();
    await page.getByText('All keys searched.').waitFor();
    const rows = await ui.rows('2 memberships');
    assert.deepStrictEqual(rows.sort(), [
      ['lobby', 'connector-1'],
      ['lobby', 'connector-2'],
    ]);
  });

  it(
    'names what looks wrong, with the command that mends it, which can be copied',
    options,
    async () => {
      await ui.visit('problems');
      await button('Search the whole store').click();
      await page.getByText('All keys searched.').waitFor();
      const found = await page.locator('.problem h3').allTextContents();
      for (const title of [
        'Expired lease: connector-3',
        'Members without a lease: connector-4',
        'Key that is no set: POMELO:CHANNEL:broken:connector-1',
      ]) {
        assert.ok(found.includes(title), `${title} in ${found}`);
      }
      const expired = page.locator('.problem', { hasText: 'Expired lease' });
      const command = await expired.locator('code').textContent();
      await expired.getByRole('button', { name: 'Copy' }).click();
      await expired.getByText('Copied').waitFor();
      assert.strictEqual(await page.evaluate(() => navigator.clipboard.readText()), command);
    },
  );

  it('shows joins and leaves as they happen, until it is stopped', options, async () => {
    await ui.visit('channel', { name: 'lobby' });
    await button('Watch').click();
    const log = page.getByRole('log');
    await log.getByText('changes before this may have been missed').waitFor();
    await ok(service, 'add', 'lobby', 'new one', 'connector-1');
    await log.getByText('new one joined on connector-1').waitFor();
    await ok(service, 'leave', 'lobby', 'new one', 'connector-1');
    await log.getByText('new one left on connector-1').waitFor();
    await button('Stop').click();
    // The watch is closed in its own time; a new one then begins with its gap.
    await button('Watch').click();
    await until(async () => (await log.getByText('missed').count()) === 2, 'the second gap');
    await ui.visit('');
  });

  it('can be used with the keyboard alone', options, async () => {
    await ui.visit('');
    const focused = () =>
      page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.id);
    const press = (key) => page.keyboard.press(key);
    // The address changes before the view does.
    const moves = (to) => until(async () => (await focused()) === to, `the focus on ${to}`);
    await press('Tab');
    assert.strictEqual(await focused(), 'Skip to the content');
    await press('Enter');
    assert.strictEqual(await page.evaluate(() => document.activeElement.id), 'main');
    await press('Tab');
    assert.strictEqual(await focused(), 'Refresh');
    await press('Tab');
    await page.keyboard.type('lobby');
    await press('Enter');
    await page.waitForURL(/match=lobby/);
    // As on a new page, what comes next is what the view has.
    await moves('Channels lobby');
    await ui.drawn();
    for (let i = 0; (await focused()) !== 'lobby'; i += 1) {
      assert.ok(i < 10, 'the channel is near');
      await press('Tab');
    }
    const outline = () =>
      page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.strictEqual(await outline(), 'solid', 'the focus is seen');
    await press('Enter');
    await page.waitForURL(/channel\?name=lobby/);
    await moves('Channel lobby');
    await ui.drawn();
    for (let i = 0; (await focused()) !== 'Watch'; i += 1) {
      assert.ok(i < 15, 'the button is near');
      await press('Tab');
    }
    await press('Space');
    await page.getByRole('log').getByText('missed').waitFor();
    await moves('Stop');
    await press('Space');
    await moves('Watch');
  });

  for (const [width, colorScheme] of [
    [1280, 'light'],
    [1280, 'dark'],
    [360, 'dark'],
  ]) {
    it(`has no fault that axe finds, ${width} px wide, ${colorScheme}`, options, async () => {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      try {
        for (const [view, query] of VIEWS) {
          await ui.visit(view, query);
          await page.evaluate(axeSource);
          const { violations, incomplete } = await page.evaluate('axe.run()');
          const found = [...violations, ...incomplete].map(({ id, nodes }) => [id, nodes[0].html]);
          assert.deepStrictEqual(found, [], view);
          assert.deepStrictEqual(await ui.outside(), [], `${view}: nothing sticks out`);
        }
      } finally {
        await page.setViewportSize({ width: 1280, height: 900 });
        await page.emulateMedia({ colorScheme: 'light' });
      }
    });
  }

  it('tells when the store is gone, and shows it again after Refresh', options, async () => {
    await ui.visit('channels');
    await redis.kill();
    await button('Refresh').click();
    await page.getByRole('alert').filter({ hasText: /./ }).waitFor();
    assert.strictEqual(await ui.heading(), 'Channels');
    await redis.up();
    await redis.run(3, 'sadd', 'POMELO:CHANNEL:back:connector-1', 'ann');
    await until(async () => {
      await button('Refresh').click();
      await ui.drawn();
      return page.getByRole('link', { name: 'back' }).isVisible();
    }, 'the channels of the new server');
    assert.ok(await page.getByRole('alert').isHidden());
    // The browser itself names requests that were answered with an error.
    const own = ui.complaints.splice(0).filter((text) => !/502 \(Bad Gateway\)/.test(text));
    assert.deepStrictEqual(own, []);
  });

  it('tells when the inspector has ended; no script has failed', options, async () => {
    await ui.inspector.stop();
    await button('Refresh').click();
    await page.getByRole('alert').getByText('it has ended').waitFor();
    const own = ui.complaints.filter((text) => !/ERR_CONNECTION_REFUSED/.test(text));
    assert.deepStrictEqual(own, []);
  });
});
