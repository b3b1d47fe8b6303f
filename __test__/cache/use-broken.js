'use strict';

/**
 * Preloaded (`node -r`) by broken.test.js: puts the addon of the test build, which has broken
 * variants to switch on, in the place of the one that the package loads. The package itself has no
 * switch for that.
 */

const Module = require('module');
const path = require('path');
const { brokenAddon } = require('../../scripts/build');

const root = path.resolve(__dirname, '../..');
/** Built by `node scripts/build.js --broken`. */
const ADDON = brokenAddon();

function use() {
  const filename = path.join(root, 'binding.js');
  const binding = new Module(filename);
  binding.exports = require(ADDON);
  binding.loaded = true;
  require.cache[filename] = binding;
}

if (require.main !== module && process.env.GLOBALCHANNEL_TEST_BUILD) use();

module.exports = { ADDON };
