'use strict';

/** The inspector's page in a headless Chromium, for the tests of this folder. */

const { chromium } = require('playwright-core');
const { chromiumProgram } = require('../../scripts/chromium');
const { Inspector } = require('../support/inspector');

class InspectorPage {
  /** Starts the inspector and the browser. Whatever a script or the page's policy complains about is in `complaints`. */
  static async open(from, ...args) {
    const inspector = await Inspector.start(from, ...args);
    // Playwright leaves the sandbox out by default, as it must for root; the page is our own.
    const browser = await chromium.launch({ executablePath: chromiumProgram() });
    const options = { viewport: { width: 1280, height: 900 }, colorScheme: 'light' };
    const context = await browser.newContext(options);
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    return new InspectorPage(inspector, browser, context, await context.newPage());
  }

  constructor(inspector, browser, context, page) {
    Object.assign(this, { inspector, browser, context, page, complaints: [] });
    page.on('pageerror', (error) => this.complaints.push(error.stack));
    page.on('dialog', (dialog) => {
      this.complaints.push(`dialog: ${dialog.message()}`);
      return dialog.dismiss();
    });
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text());
    });
  }

  /** Opens a view by its address, as a link from outside would. */
  async visit(view, query = {}) {
    await this.page.goto('about:blank');
    await this.page.goto(`${this.inspector.url}#/${view}?${new URLSearchParams(query)}`);
    await this.drawn();
  }

  /** Until the view of the address is drawn: the address changes first. */
  async drawn() {
    await this.page.waitForFunction(() => {
      const view = document.querySelector('[data-part="view"]');
      return view && !view.hasAttribute('aria-busy') && view.dataset.address === location.hash;
    });
  }

  /** The cells of a table, row by row, as texts. */
  async rows(caption) {
    const table = this.page.getByRole('table', { name: caption });
    const rows = await table.locator('tbody tr').all();
    return Promise.all(
      rows.map(async (row) => {
        const cells = await row.locator('th, td').allTextContents();
        return cells.map((text) => text.trim());
      }),
    );
  }

  heading() {
    return this.page.locator('[data-part="heading"]').textContent();
  }

  /** What sticks out of the screen to the right; a table may, in its own box. */
  outside() {
    return this.page.evaluate(() =>
      [...document.querySelectorAll('body *')]
        .filter((element) => element.getBoundingClientRect().right > window.innerWidth)
        .filter((element) => !element.closest('.scroll table'))
        .map(({ outerHTML }) => outerHTML.slice(0, 80)),
    );
  }

  async close() {
    await this.browser.close();
    await this.inspector.stop();
  }
}

module.exports = { InspectorPage };
