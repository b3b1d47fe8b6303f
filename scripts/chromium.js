'use strict';
/**
 * A Chromium for the test of the demo's page and for pictures of it: the system's, or Google's build of
 * it, or installed by `apt-get`.
 */
const { programOf } = require('./lib/programs');

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** The path of the program; throws and says what to do where it cannot be had. */
function chromiumProgram() {
  const program = process.env.CHROMIUM || programOf(NAMES, 'chromium');
  if (program) return program;
  throw new Error(
    `The test of the demo's page takes Chromium. Install it (Debian: apt-get install chromium; ` +
      `Fedora: dnf install chromium; macOS: brew install chromium), or give its path in the ` +
      `environment variable CHROMIUM.`,
  );
}

module.exports = { chromiumProgram };
