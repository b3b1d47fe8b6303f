'use strict';
/**
 * Finds a Chromium or Chrome for the tests of the demo's page and of the inspector's, and for pictures, or installs one by
 * `apt-get`.
 */
const { programOf } = require('./lib/programs');

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** Returns the path of the program; throws an error that says what to do if there is none. */
function chromiumProgram() {
  const program = process.env.CHROMIUM || programOf(NAMES, 'chromium');
  if (program) return program;
  throw new Error(
    `The tests of pages take Chromium. Install it (Debian: apt-get install chromium; ` +
      `Fedora: dnf install chromium; macOS: brew install chromium), or give its path in the ` +
      `environment variable CHROMIUM.`,
  );
}

module.exports = { chromiumProgram };
