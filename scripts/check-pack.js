'use strict';
/**
 * Runs before `npm pack` and `npm publish` (prepack): refuses a tarball that could not be loaded.
 * Two kinds are sound. A local one has the addon of this platform inside. A release has none, but
 * package.json names a package for each platform as optional dependency, as `napi pre-publish`
 * writes it; that those packages are complete is checked by check-artifacts.js.
 */
const fs = require('node:fs');
const path = require('node:path');
const { addonFile } = require('./build');
const { root, fail } = require('./lib/process');

const {
  files,
  name,
  napi,
  optionalDependencies = {},
} = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));

const isPattern = (file) => file.includes('*');
const missing = files.filter((file) => !isPattern(file) && !fs.existsSync(path.join(root, file)));
if (missing.length > 0) {
  fail(`Not packed: package.json lists files that are not there: ${missing.join(', ')}.
binding.js and binding.d.ts are written by npm run build.`);
}

const platformPackages = Object.keys(optionalDependencies).filter((other) =>
  other.startsWith(`${name}-`),
);
const isRelease = platformPackages.length === napi.targets.length;
if (!isRelease && !fs.existsSync(path.join(root, addonFile()))) {
  fail(`Not packed: ${addonFile()} is not there. Build it first: npm run build`);
}
