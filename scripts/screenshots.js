'use strict';
/**
 * `node scripts/screenshots.js FOLDER` takes pictures of the demo's page in use: `demo.png` (in the README, kept in
 * docs/), `demo-dark.png` and `demo-narrow.png`.
 */
const path = require('node:path');
const { chromium } = require('playwright-core');
const { DemoRun } = require('../__test__/pomelo-cluster/demo-run');
const { chromiumProgram } = require('./chromium');

const HEIGHT = 742;
const PICTURES = {
  'demo.png': { width: 1280, colorScheme: 'light' },
  'demo-dark.png': { width: 1280, colorScheme: 'dark' },
  'demo-narrow.png': { width: 400, colorScheme: 'dark' },
};

async function say(page, uid, text) {
  const user = page.locator(`[data-uid="${uid}"]`);
  await user.getByPlaceholder('Say something').fill(text);
  await user.getByRole('button', { name: 'Say' }).click();
  await answered(page, text);
}

async function push(page, text) {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Push' }).click();
  await answered(page, text);
}

const answered = (page, text) =>
  page.locator('.pushes :is(.good, .bad)', { hasText: text }).waitFor();

/** Opens the page and waits until all users are connected. */
async function open(page, url) {
  await page.goto(url);
  await page.locator('.user[data-state="online"]').nth(5).waitFor();
}

async function talk(page) {
  await say(page, 'user-1', 'Hello from connector-1');
  await say(page, 'user-6', 'And from connector-3');
  await push(page, 'Dinner is served');
}

/** Fills every part of the page, and kills one connector. */
async function act(page, url) {
  // The first messages open the servers' connections and take longer, so they are not shown.
  await open(page, url);
  await talk(page);
  await open(page, url);
  await talk(page);
  await page.getByRole('button', { name: 'Kill connector-2' }).click();
  await page.locator('[data-id="connector-2"][data-state="down"]').waitFor();
  await push(page, 'Who is left?');
  await page.evaluate(() => {
    document.activeElement.blur();
    window.scrollTo(0, 0);
  });
}

async function main(folder) {
  const demo = new DemoRun();
  let browser;
  try {
    await demo.start(['--web']).said('Open http');
    browser = await chromium.launch({ executablePath: chromiumProgram() });
    const page = await browser.newPage();
    await act(page, demo.output.match(/http:\S+/)[0]);
    for (const [name, { width, colorScheme }] of Object.entries(PICTURES)) {
      await page.setViewportSize({ width, height: HEIGHT });
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: path.join(folder, name), fullPage: width < 1280 });
    }
  } finally {
    await browser?.close();
    await demo.close();
  }
}

if (process.argv.length === 3) {
  main(process.argv[2]);
} else {
  console.error('Usage: node scripts/screenshots.js FOLDER');
  process.exitCode = 2;
}
