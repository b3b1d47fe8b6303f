'use strict';

/**
 * Preloaded (`node -r`) by the tests named broken.test.js: loads the addon of the test build, which has failpoints, in place
 * of the package's own. The package has no switch for that.
 */

const fs = require('fs');
const Module = require('module');
const path = require('path');
const { brokenAddon } = require('../../scripts/build');

const root = path.resolve(__dirname, '../..');
/** Built by `node scripts/build.js --broken`, or the one that scripts/memory.js has built. */
const ADDON = process.env.GLOBALCHANNEL_TEST_ADDON || brokenAddon();

function use() {
  const filename = path.join(root, 'binding.js');
  const binding = new Module(filename);
  binding.exports = require(ADDON);
  binding.loaded = true;
  require.cache[filename] = binding;
}

/** The names of all rules that can be broken, those of the embedded store too. */
function rules() {
  const source = fs.readFileSync(path.join(root, 'src/failpoints.rs'), 'utf8');
  const [, list] = /const NAMES: .*?= &\[(.*?)\];/s.exec(source);
  return Array.from(list.matchAll(/"(.*?)"/g), ([, name]) => name);
}

if (require.main !== module && process.env.GLOBALCHANNEL_TEST_BUILD) use();

module.exports = { ADDON, rules };
