'use strict';
/**
 * `npm run demo -- --web` in a headless Chromium: input goes to real servers, and assertions are about what the page shows. The
 * tests share one demo, and each restores its state.
 */

const assert = require('node:assert');
const http = require('node:http');
const { before, after, describe } = require('node:test');
const { setTimeout: pause } = require('node:timers/promises');
const { chromium } = require('playwright-core');
const { chromiumProgram } = require('../../scripts/chromium');
const { ours } = require('./support');
const { DemoRun } = require('./demo-run');

const USERS = [1, 2, 3, 4, 5, 6].map((n) => `user-${n}`);
// Of connector-2.
const ITS_USERS = ['user-2', 'user-5'];
const OTHERS = USERS.filter((uid) => !ITS_USERS.includes(uid));
const GUILD = ['user-1', 'user-3', 'user-5'];

let lastNumber = 0;
const newText = (what) => `${what} ${++lastNumber}`;

describe('the page of the demo', () => {
  const demo = new DemoRun();
  let browser;
  let page;
  const errors = [];

  before(async () => {
    demo.start(['--web']);
    await demo.said('Open http');
    const [url] = demo.output.match(/http:\S+/);
    // Playwright leaves the sandbox out by default, as it must for root; the page is our own.
    browser = await chromium.launch({ executablePath: chromiumProgram() });
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' });
    page.on('pageerror', (error) => errors.push(error.stack));
    await page.goto(url);
    await online(USERS);
  });

  after(async () => {
    await browser?.close();
    await demo.close();
  });

  const user = (uid) => page.locator(`[data-uid="${uid}"]`);
  const part = (name, within = page) => within.locator(`[data-part="${name}"]`);
  const connector = (id, state = '') =>
    page.locator(`[data-id="${id}"]${state && `[data-state="${state}"]`}`);
  const members = (channel) =>
    part('members', page.locator('.channel', { hasText: channel })).locator('li');

  /** Until these users, and no others, are shown as online. */
  const online = (uids) =>
    seen(() => page.locator('.user[data-state="online"] h4').allTextContents(), uids);

  /** Until the page shows these texts, in any order. */
  async function seen(read, expected) {
    const wanted = [...expected].sort().join('\n');
    let now;
    const look = async () => {
      now = (await read()).map((text) => text.trim()).sort();
      return now.join('\n') === wanted;
    };
    const deadline = Date.now() + 15000;
    while (!(await look())) {
      if (Date.now() > deadline) assert.deepStrictEqual(now, [...expected].sort());
      await pause(20);
    }
  }

  async function say(uid, text) {
    await user(uid).getByPlaceholder('Say something').fill(text);
    await user(uid).getByRole('button', { name: 'Say' }).click();
  }

  async function push(channel, text) {
    const form = part('push');
    await form.getByLabel('From').selectOption('chat-1');
    await form.getByLabel('to channel').selectOption(channel);
    await form.getByLabel('Message').fill(text);
    await form.getByRole('button', { name: 'Push' }).click();
  }

  /** What the page says of a push, when it has been answered. */
  async function outcome(text) {
    const item = part('pushes').locator('li', { hasText: text }).and(page.locator('.good, .bad'));
    await item.waitFor();
    return item.textContent();
  }

  /**
   * These users got the message once, with a latency, and no other user did. A message that the same
   * chat server pushed later is waited for, so that a second copy would be there.
   */
  async function assertArrived(text, uids) {
    const last = newText('last');
    await push('world', last);
    for (const uid of await page.locator('.user[data-state="online"] h4').allTextContents()) {
      await user(uid).getByText(last, { exact: true }).waitFor();
    }
    for (const uid of USERS) {
      const copies = part('messages', user(uid)).locator('li', { hasText: text });
      assert.strictEqual(await copies.count(), uids.includes(uid) ? 1 : 0, `${text} at ${uid}`);
      if (uids.includes(uid)) assert.match(await part('ms', copies).textContent(), /^\d+\.\d ms$/);
    }
  }

  ours('what is typed in one client arrives in all clients once, with its latency', async () => {
    const text = newText('Hello, world');
    await say('user-1', text);
    assert.match(await outcome(text), /Arrived at 6 clients in .* ms\. No failed uids\./);
    await assertArrived(text, USERS);
  });

  ours('a push to a channel arrives at its members only', async () => {
    await seen(() => members('guild').allTextContents(), GUILD);
    const text = newText('To the guild');
    await push('guild', text);
    assert.match(await outcome(text), /Arrived at 3 clients/);
    await assertArrived(text, GUILD);
  });

  ours('a client joins and leaves by its box', async () => {
    const box = user('user-2').getByLabel('guild');
    await box.check();
    await seen(() => members('guild').allTextContents(), [...GUILD, 'user-2']);
    const text = newText('With one more');
    await push('guild', text);
    await outcome(text);
    await assertArrived(text, [...GUILD, 'user-2']);
    await box.uncheck();
    await seen(() => members('guild').allTextContents(), GUILD);
  });

  ours('a client that went away is a failed uid until it is back', async () => {
    await user('user-4').getByRole('button', { name: 'Disconnect' }).click();
    const others = USERS.filter((uid) => uid !== 'user-4');
    await online(others);
    // The connector hears of the closed socket in its own time.
    let said = '';
    while (!said.includes('Not reached: user-4 (failed uids)')) {
      const text = newText('Where is everybody?');
      await push('world', text);
      said = await outcome(text);
    }
    await user('user-4').getByRole('button', { name: 'Connect' }).click();
    await online(USERS);
    const text = newText('There you are');
    await push('world', text);
    assert.match(await outcome(text), /No failed uids/);
    await assertArrived(text, USERS);
  });

  ours('a killed connector: its clients are gone, the others get the pushes', async () => {
    const pid = Number((await part('pid', connector('connector-2')).textContent()).slice(4));
    await page.getByRole('button', { name: 'Kill connector-2' }).click();
    await connector('connector-2', 'down').waitFor();
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    await online(OTHERS);
    await seen(
      () => members('world').allTextContents(),
      USERS.map((uid) => (ITS_USERS.includes(uid) ? `${uid} gone` : uid)),
    );
    const text = newText('Who is there?');
    await push('world', text);
    assert.match(await outcome(text), /Arrived at 4 clients.*Not reached: user-2, user-5/);
    await assertArrived(text, OTHERS);
    assert.match(await part('dead', connector('connector-2')).textContent(), /failed uids/);

    await page.getByRole('button', { name: 'Bring back connector-2' }).click();
    await connector('connector-2', 'up').waitFor();
    await online(USERS);
    await seen(() => members('world').allTextContents(), USERS);
    const next = newText('Welcome back');
    await push('world', next);
    assert.match(await outcome(next), /Arrived at 6 clients.*No failed uids/);
    await assertArrived(next, USERS);
    await assertArrived(text, OTHERS);
  });

  ours('two connectors killed at once are both noticed, and both come back', async () => {
    const ids = ['connector-1', 'connector-2'];
    const press = (verb) =>
      page.evaluate(
        (labels) => {
          for (const label of labels) document.querySelector(`[aria-label="${label}"]`).click();
        },
        ids.map((id) => `${verb} ${id}`),
      );
    await press('Kill');
    for (const id of ids) await connector(id, 'down').waitFor({ timeout: 15000 });
    await press('Bring back');
    for (const id of ids) await connector(id, 'up').waitFor();
    await online(USERS);
    assert.ok(await part('problem').isHidden(), await part('problem').textContent());
  });

  ours('nothing sticks out of a screen of 400 px', async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    const outside = await page.evaluate(() =>
      [...document.querySelectorAll('body *')]
        .filter((element) => element.getBoundingClientRect().right > window.innerWidth)
        .map(({ outerHTML }) => outerHTML.slice(0, 80)),
    );
    await page.setViewportSize({ width: 1280, height: 900 });
    assert.deepStrictEqual(outside, []);
  });

  ours('other web pages can neither press the buttons nor read along', async () => {
    const own = new URL(page.url());
    const ask = (method, target, headers) =>
      new Promise((resolve, reject) => {
        const request = http.request(new URL(target, own), { method, headers }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode));
        });
        request.on('error', reject);
        request.end(method === 'POST' ? JSON.stringify({ connector: 'connector-1' }) : undefined);
      });
    const { host } = own;
    assert.strictEqual(await ask('GET', '/api/state', { host }), 200);
    assert.strictEqual(await ask('GET', '/api/state', { host: 'evil.example' }), 403);
    const origins = ['http://evil.example', 'null', undefined, 'http://127.0.0.1:1'];
    for (const origin of origins) {
      const headers = { host, ...(origin && { origin }) };
      assert.strictEqual(await ask('POST', '/api/kill', headers), 403, `Origin ${origin}`);
    }
    const evil = { host: 'evil.example', origin: 'http://evil.example' };
    assert.strictEqual(await ask('POST', '/api/kill', evil), 403);
    const state = await page.evaluate(async () => (await fetch('/api/state')).json());
    assert.strictEqual(state.connectors[0].state, 'up');
  });

  ours('Ctrl-C ends it, the page says so, no process and no file is left', async () => {
    const pids = demo.descendants();
    demo.child.kill('SIGINT');
    await demo.ended();
    assert.strictEqual(demo.end.code, 130, demo.output);
    await page.getByRole('alert').getByText('it has ended').waitFor();
    await demo.assertNothingLeft(pids);
    assert.deepStrictEqual(errors, [], 'no script of the page failed');
  });
});
