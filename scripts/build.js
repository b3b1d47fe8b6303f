'use strict';
/**
 * Builds the addon: `npm run build`, `npm run build:debug` (`--debug`). Further arguments go to
 * `napi build`, for example `npm run build -- --target aarch64-apple-darwin`. `--broken` builds an
 * addon for the tests, beside the real one, whose rules can be broken by name (src/failpoints.rs).
 *
 * Runs in two places, so it has no dependency and uses syntax of Node 16:
 *  - in a clone, through @napi-rs/cli, which writes binding.js and binding.d.ts as well;
 *  - in the installed package, which has binding.js and no devDependencies: with cargo alone, whose library is
 *    copied to the name that binding.js looks for. Building from source needs Rust, and only crates from the
 *    network.
 */
const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');

const root = path.join(__dirname, '..');
const BROKEN_FOLDER = 'target/broken';
const { napi } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));

/** Returns the path of the addon of the tests. */
const brokenAddon = () => path.join(root, BROKEN_FOLDER, addonFile());

/** Returns the file name that binding.js looks for on this machine. */
function addonFile() {
  return `${napi.binaryName}.${hostPlatform()}.node`;
}

/** Returns napi's name for the platform this Node was built for, such as `linux-x64-gnu`. */
function hostPlatform() {
  const { platform, arch } = process;
  if (platform === 'win32') return `win32-${arch}-msvc`;
  if (platform !== 'linux') return `${platform}-${arch}`;
  return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}${arch === 'arm' ? 'eabihf' : ''}`;
}

function isMusl() {
  if (process.platform !== 'linux') return false;
  process.report.excludeNetwork = true; // network information may wait for name servers
  return !process.report.getReport().header.glibcVersionRuntime;
}

function fail(message) {
  console.error(`\n${message}\n`);
  process.exit(1);
}

/** Runs a program; returns its stdout if `stdio` asks for it. Ends this process if it fails. */
function run(program, args, stdio, env) {
  const done = spawnSync(program, args, {
    cwd: root,
    stdio,
    env: Object.assign({}, process.env, env),
    encoding: 'utf8',
    maxBuffer: Infinity,
  });
  if (done.error && done.error.code === 'ENOENT') {
    fail(
      `${program} not found. The addon is written in Rust: install Rust with rustup ` +
        '(https://rustup.rs) and a C compiler, see that cargo is on PATH, and run this again.',
    );
  }
  if (done.error) fail(`${program}: ${done.error.message}`);
  if (done.status !== 0) fail(`Building the addon failed: ${program} ended with an error (above).`);
  return done.stdout;
}

const PLAIN = ['--js', 'binding.js', '--dts', 'binding.d.ts'];
const BROKEN = ['--features', 'failpoints', '--output-dir', BROKEN_FOLDER, '--no-js'];
/** Less optimised, which takes less time. Only our crate is, so that the crates it depends on are those of the real addon. */
const QUICKLY = ['--config', 'profile.release.package.pome-globalchannel-plugin.opt-level=1'];

function buildWithNapi(cli, debug, rest) {
  // Checked first: of a missing cargo @napi-rs/cli says only that the build failed.
  run('cargo', ['--version'], 'ignore');
  const args = ['build', '--platform'];
  if (!debug) args.push('--release');
  run(process.execPath, [cli, ...args, ...rest], 'inherit');
}

function buildWithCargo(debug) {
  const args = ['build', '--lib', '--locked', '--message-format=json-render-diagnostics'];
  if (!debug) args.push('--release');
  // As `napi build` does: a library for a musl Node must link libc dynamically.
  const rustflags = `${process.env.RUSTFLAGS || ''} -C target-feature=-crt-static`.trim();
  const messages = run(
    'cargo',
    args,
    ['ignore', 'pipe', 'inherit'],
    isMusl() ? { RUSTFLAGS: rustflags } : {},
  );
  // The path from cargo's output: CARGO_TARGET_DIR and .cargo/config.toml may change it.
  const library = messages
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .filter((message) => message.reason === 'compiler-artifact')
    .filter((message) => message.target.crate_types.includes('cdylib'))
    .map((message) => message.filenames.find((file) => /\.(so|dylib|dll)$/.test(file)))
    .pop();
  if (!library) fail('cargo built no library; is Cargo.toml complete?');
  // Renamed into place: overwriting a file that a running process has mapped would crash it.
  const target = path.join(root, addonFile());
  fs.copyFileSync(library, `${target}.new`);
  fs.renameSync(`${target}.new`, target);
  console.log(`Built ${path.basename(target)}.`);
}

function main(args) {
  const debug = args.includes('--debug');
  const rest = args.filter((arg) => arg !== '--debug' && arg !== '--broken');
  const cli = path.join(root, 'node_modules/@napi-rs/cli/dist/cli.js');
  const all = args.includes('--broken')
    ? [...BROKEN, ...rest, '--', ...QUICKLY]
    : [...PLAIN, ...rest];
  if (fs.existsSync(cli)) buildWithNapi(cli, debug, all);
  else buildWithCargo(debug);
}

if (require.main === module) main(process.argv.slice(2));

module.exports = { addonFile, brokenAddon };
