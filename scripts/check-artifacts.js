'use strict';
/**
 * Runs before a release is published: checks that each target in package.json has its package below npm/ (or the given
 * folder), with the right version and an addon that is a library for that system and processor. `napi artifacts` copies
 * what it finds, so a target without a build would be published as an empty package.
 */
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./lib/process');

const { name, version, napi } = JSON.parse(
  fs.readFileSync(path.join(root, 'package.json'), 'utf8'),
);
const npmFolder = path.resolve(process.argv[2] || path.join(root, 'npm'));

/** By target triple: napi's platform name, and the format and processor in the library's header. */
const platforms = {
  'x86_64-unknown-linux-gnu': ['linux-x64-gnu', 'ELF x64'],
  'aarch64-unknown-linux-gnu': ['linux-arm64-gnu', 'ELF arm64'],
  'x86_64-unknown-linux-musl': ['linux-x64-musl', 'ELF x64'],
  'aarch64-unknown-linux-musl': ['linux-arm64-musl', 'ELF arm64'],
  'x86_64-apple-darwin': ['darwin-x64', 'Mach-O x64'],
  'aarch64-apple-darwin': ['darwin-arm64', 'Mach-O arm64'],
  'x86_64-pc-windows-msvc': ['win32-x64-msvc', 'PE x64'],
};

/** Reads the format and the processor of a library from its first bytes. */
function kindOf(file) {
  const bytes = fs.readFileSync(file);
  if (bytes.length < 64) return `${bytes.length} bytes`;
  if (bytes.readUInt32BE(0) === 0x7f454c46) {
    return `ELF ${{ 0x3e: 'x64', 0xb7: 'arm64' }[bytes.readUInt16LE(18)]}`;
  }
  if (bytes.readUInt32LE(0) === 0xfeedfacf) {
    return `Mach-O ${{ 0x01000007: 'x64', 0x0100000c: 'arm64' }[bytes.readUInt32LE(4)]}`;
  }
  if (bytes.toString('latin1', 0, 2) === 'MZ') {
    const header = bytes.readUInt32LE(0x3c);
    return `PE ${{ 0x8664: 'x64', 0xaa64: 'arm64' }[bytes.readUInt16LE(header + 4)]}`;
  }
  return 'unknown format';
}

/** The newest glibc that addons may need, as README.md and lib/native.js say. */
const GLIBC = [2, 17];

/** Returns the newest version of glibc whose symbols a library names, as `[2, 17]`; undefined if it names none. */
function glibcOf(file) {
  const versions = fs.readFileSync(file, 'latin1').matchAll(/GLIBC_(\d+)\.(\d+)/g);
  const numbers = Array.from(versions, ([, major, minor]) => [Number(major), Number(minor)]);
  return numbers.sort(([a, b], [c, d]) => a - c || b - d).pop();
}

/** Checks the package of one target; returns what is wrong, or undefined. */
function problemWith(target) {
  if (!platforms[target]) return 'not known to scripts/check-artifacts.js; add it there';
  const [platform, kind] = platforms[target];
  const folder = path.join(npmFolder, platform);
  const manifest = path.join(folder, 'package.json');
  if (!fs.existsSync(manifest)) return `no ${manifest}`;
  const platformPackage = JSON.parse(fs.readFileSync(manifest, 'utf8'));
  if (platformPackage.name !== `${name}-${platform}`) return `named ${platformPackage.name}`;
  if (platformPackage.version !== version) return `version ${platformPackage.version}`;
  const addon = path.join(folder, `${napi.binaryName}.${platform}.node`);
  if (!fs.existsSync(addon)) return `no ${addon}`;
  if (kindOf(addon) !== kind) return `${kindOf(addon)} where ${kind} is expected`;
  const [major, minor] = glibcOf(addon) || GLIBC;
  return major > GLIBC[0] || minor > GLIBC[1] ? `needs glibc ${major}.${minor}` : undefined;
}

for (const target of napi.targets) {
  const problem = problemWith(target);
  console.log(`${target.padEnd(28)} ${problem ? `MISSING OR WRONG: ${problem}` : 'ok'}`);
  if (problem) process.exitCode = 1;
}
