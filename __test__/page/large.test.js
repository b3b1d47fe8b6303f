'use strict';

/**
 * A store with a million members in 10,000 channels on the inspector's page: each view asks for a part of it, never for all,
 * and shows it.
 */

const assert = require('node:assert');
const { after, before, describe, it } = require('node:test');
const { fill } = require('../support/large-store');
const redisServer = require('../support/redis');
const { InspectorPage } = require('./support');

const CHANNELS = Number(process.env.PAGE_CHANNELS || 10000);

const options = { timeout: 120000 };

describe('a million members on the page of the inspector', { timeout: 300000 }, () => {
  let redis;
  let ui;
  let page;

  before(async () => {
    redis = await redisServer.start();
    await fill(redis.port, 0, CHANNELS);
    await redis.run(0, 'config', 'resetstat');
    ui = await InspectorPage.open(`redis://127.0.0.1:${redis.port}/0`);
    ({ page } = ui);
  });

  after(async () => {
    await ui?.close();
    await redis.stop();
  });

  it('shows all views, and reads none of it whole', options, async () => {
    await ui.visit('');
    assert.match(await page.locator('.totals').textContent(), /Members1,000,000/);
    await ui.visit('frontends');
    assert.strictEqual((await ui.rows('4 frontends')).length, 4);
    await ui.visit('channels');
    assert.ok((await page.locator('tbody tr').count()) < 200);
    await ui.visit('channels', { match: 'room-77' });
    await page.getByRole('link', { name: 'room-77' }).waitFor();
    await ui.visit('channel', { name: 'room-77' });
    await page.getByRole('table', { name: '100 members on 4 frontends' }).waitFor();
    await ui.visit('user', { uid: 'user-5' });
    await page.getByRole('button', { name: 'Search the keys for more' }).click();
    await page.getByText('All keys searched.').waitFor({ timeout: 60000 });
    await ui.visit('problems');
    const stats = await redis.run(0, 'info', 'commandstats');
    const found = stats.matchAll(/^cmdstat_([\w|]+):calls=(\d+)/gm);
    const calls = Object.fromEntries([...found].map(([, name, count]) => [name, Number(count)]));
    assert.ok(calls.scan > 40, JSON.stringify(calls));
    // Each connection asks for the members of one key that is not there.
    assert.ok((calls.smembers ?? 0) <= 2, `${calls.smembers} lists were read whole`);
    for (const whole of ['keys', 'sunion', 'sort']) assert.ok(!(whole in calls), whole);
    assert.deepStrictEqual(ui.complaints, []);
  });
});
