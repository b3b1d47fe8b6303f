'use strict';
/**
 * Runs before `npm pack` and `npm publish` (prepack): refuses a tarball that could not be loaded. Two kinds are valid. A
 * local one contains the addon of this platform. A release contains none, but its package.json has an optional
 * dependency for each platform, which `napi pre-publish` writes; check-artifacts.js checks that those are complete.
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
