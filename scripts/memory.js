'use strict';
/**
 * `npm run test:memory`: memory errors and leaks, with AddressSanitizer. The parts, each by name:
 *
 *  - `core`: the Rust tests of the core, with LeakSanitizer, without the model of the cache, which is safe code and
 *    would take minutes.
 *  - `addon`: an instrumented addon in Node, under the tests that call it in every way. They cover all `unsafe` code
 *    but the opening of LMDB. LeakSanitizer is off, since Node frees little at exit; the `leaks.test.js` files look for
 *    leaks, in `npm test` and, with more calls, in the next two parts.
 *  - `calls`: two million calls.
 *  - `pushes`: a million pushes through the fan-out, and a million with names for lists, without the sanitizer.
 *
 * Needs Linux on x64 or arm64, and gcc. The compiler is stable Rust; RUSTC_BOOTSTRAP makes it accept the flag.
 */
require('./lib/end-with-parent');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { root, start, fail } = require('./lib/process');

const FOLDER = path.join(root, 'target/asan');
const TARGET = { x64: 'x86_64-unknown-linux-gnu', arm64: 'aarch64-unknown-linux-gnu' }[
  process.arch
];
const LIBRARY = path.join(FOLDER, TARGET || '', 'debug/libglobalchannel.so');
/** The name by which Node loads an addon. */
const ADDON = path.join(FOLDER, 'checked.node');

/** The tests that are run, without those that measure memory or time. */
const TESTS = [
  'attacks',
  'boundary',
  'callbacks',
  'promises',
  'stats',
  'workers',
  'contract/a-lifecycle',
  'contract/c-members',
  'contract/c-values',
  'contract/d-push',
  'contract/g-managers',
  'cache/arrays',
  'fan-out/native',
  'fan-out/scheduler',
  'fuzz/fuzz',
];

const parts = { core, addon, calls, pushes };

function cargo(command, ...args) {
  const env = { ...process.env, RUSTC_BOOTSTRAP: '1', RUSTFLAGS: '-Zsanitizer=address' };
  const build = ['--locked', '--target', TARGET, '--target-dir', FOLDER];
  // In front: the arguments of the tests come last.
  return start('cargo', [command, ...build, ...args], { env }).ended;
}

function core() {
  return cargo('test', '--no-default-features', '--lib', '--', '--skip', 'cache::tests');
}

async function addon() {
  if (!(await cargo('build', '--lib', '--features', 'failpoints'))) return false;
  fs.copyFileSync(LIBRARY, ADDON);
  const runtime = libasan();
  // The runtime has to be the first library that is loaded.
  const env = {
    ...process.env,
    LD_PRELOAD: runtime,
    // Node handles some signals itself, and leaks memory of its own at exit.
    ASAN_OPTIONS: 'detect_leaks=0:handle_segv=0:abort_on_error=1:detect_stack_use_after_return=0',
    GLOBALCHANNEL_TEST_BUILD: '1',
    GLOBALCHANNEL_TEST_ADDON: ADDON,
    NODE_OPTIONS: `${process.env.NODE_OPTIONS} --require ${path.join(root, '__test__/cache/use-broken.js')}`,
  };
  const files = TESTS.map((name) => `__test__/${name}.test.js`);
  const args = ['--test', '--test-concurrency=1', '--test-timeout=600000', ...files];
  return isChecked(env) && start(process.execPath, args, { env }).ended;
}

/** Returns the path of gcc's shared AddressSanitizer runtime; rustc has only a static one. */
function libasan() {
  const asked = spawnSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' });
  const file = String(asked.stdout).trim();
  if (!path.isAbsolute(file))
    fail('This takes gcc and its libasan (Debian, Ubuntu: apt-get install gcc).');
  return fs.realpathSync(file);
}

/** Checks that the sanitizer is active: it must end a process that reads freed memory. */
function isChecked(env) {
  const script = `require(${JSON.stringify(ADDON)}).useAfterFree()`;
  const done = spawnSync(process.execPath, ['-e', script], { cwd: root, env, encoding: 'utf8' });
  const works = /AddressSanitizer: heap-use-after-free/.test(done.stderr);
  if (!works) console.error(`AddressSanitizer does not notice an error:\n${done.stderr}`);
  return works;
}

function calls() {
  const env = { ...process.env, LEAK_CALLS: '2000000' };
  return start(process.execPath, ['--test', '__test__/leaks.test.js'], { env }).ended;
}

function pushes() {
  const env = { ...process.env, FANOUT_PUSHES: '1000000', LISTS_PUSHES: '1000000' };
  const files = ['__test__/fan-out/leaks.test.js', '__test__/lists/leaks.test.js'];
  return start(process.execPath, ['--test', '--test-concurrency=1', ...files], { env }).ended;
}

async function main(names) {
  const unknown = names.filter((name) => !Object.hasOwn(parts, name));
  if (unknown.length > 0)
    fail(`No part ${unknown.join(', ')}. Parts: ${Object.keys(parts).join(', ')}`);
  if (process.platform !== 'linux' || !TARGET)
    fail('AddressSanitizer is used on Linux, x64 or arm64.');
  for (const name of names.length > 0 ? names : Object.keys(parts)) {
    console.log(`\n=== ${name} ${'='.repeat(20)}\n`);
    if (!(await parts[name]())) {
      console.error(`\nmemory: ${name} failed`);
      process.exit(1);
    }
  }
}

main(process.argv.slice(2));
