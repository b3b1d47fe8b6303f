'use strict';

/**
 * The tarball of `npm pack`: installed into an empty folder without a compiler, loaded, used in a pomelo application, built
 * from source, and without an addon. Here is what holds only for the packed files; the functions of the package are tested in
 * the other suites, and the app that uses it is scripts/smoke.js.
 */

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { addonFile } = require('../scripts/build');
const { links } = require('./support/markdown');
const redisServer = require('./support/redis');

const root = path.join(__dirname, '..');
const { name } = require('../package.json');

let folder; // holds everything below
let app; // a folder as `npm init` leaves it
let installed; // the package in it
let packed; // what npm says of the tarball
let redis;

/** The environment of a plain shell: nothing of the `npm test` around us, and no cargo on PATH. */
function plainEnv(extra) {
  const env = Object.entries(process.env).filter(
    ([key]) => !/^(npm_|NODE_)/i.test(key) && key !== 'INIT_CWD',
  );
  const PATH = process.env.PATH.split(path.delimiter)
    .filter((entry) => !fs.existsSync(path.join(entry, 'cargo')))
    .join(path.delimiter);
  return { ...Object.fromEntries(env), PATH, ...extra };
}

function run(program, args, cwd, env = plainEnv()) {
  return spawnSync(program, args, { cwd, env, encoding: 'utf8', maxBuffer: Infinity });
}

function succeed(program, args, cwd, env) {
  const done = run(program, args, cwd, env);
  assert.strictEqual(done.status, 0, `${program} ${args.join(' ')}\n${done.stdout}${done.stderr}`);
  return done.stdout;
}

const node = (script) => run(process.execPath, ['-e', script], app);

/** pomelo is what the app has installed; here it comes from this clone, to save the download. */
function smoke() {
  const script = path.join(app, 'smoke.js');
  fs.copyFileSync(path.join(root, 'scripts/smoke.js'), script);
  const env = plainEnv({ NODE_PATH: path.join(root, 'node_modules') });
  return succeed(process.execPath, [script, name, String(redis.port)], app, env);
}

describe('the packed tarball', () => {
  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pome-pack-'));
    app = path.join(folder, 'app');
    fs.mkdirSync(app);
    installed = path.join(app, 'node_modules', name);
    [packed] = JSON.parse(succeed('npm', ['pack', '--json', '--pack-destination', folder], root));
    redis = await redisServer.start();
  });

  after(async () => {
    if (redis) await redis.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it('contains what is needed to load, build and understand it, nothing else', () => {
    const files = packed.files.map((file) => file.path);
    const needed = ['index.js', 'index.d.ts', 'binding.js', 'binding.d.ts', addonFile()];
    needed.push('lib/components/globalChannel.js', 'src/lib.rs', 'build.rs', 'Cargo.toml');
    needed.push('Cargo.lock', 'scripts/build.js', 'package.json', 'LICENSE', 'README.md');
    needed.push(
      'bin/pome-globalchannel.js',
      'lib/inspect/page/index.html',
      'lib/inspect/page/page.js',
    );
    needed.push('lib/inspect/page/theme.css');
    assert.deepStrictEqual(
      needed.filter((file) => !files.includes(file)),
      [],
    );
    const allowed = /^((docs|lib|src)\/|(CHANGELOG|CONTRIBUTING|SECURITY)\.md$)/;
    const surplus = files.filter((file) => !needed.includes(file) && !allowed.test(file));
    assert.deepStrictEqual(surplus, []);
  });

  it('contains all files that its documentation links to', () => {
    const files = packed.files.map((file) => file.path);
    const missing = files
      .filter((file) => file.endsWith('.md'))
      .flatMap((from) =>
        links(fs.readFileSync(path.join(root, from), 'utf8'))
          .map((link) => link.split('#')[0])
          .filter((target) => target !== '')
          .map((target) => path.posix.join(path.posix.dirname(from), target))
          .filter((file) => !files.includes(file))
          .map((file) => `${from}: ${file}`),
      );
    assert.deepStrictEqual(missing, []);
  });

  it('installs into an empty app and works there, with no compiler and no network', () => {
    assert.notStrictEqual(run('cargo', ['--version'], app).status, 0, 'cargo must not be found');
    succeed('npm', ['init', '-y'], app);
    const tarball = `../${packed.filename}`;
    succeed('npm', ['install', tarball, '--offline', '--no-audit', '--no-fund'], app);
    assert.match(smoke(), /smoke test passed/);
  });

  it('contains the command line', () => {
    const usage = succeed('npx', ['--offline', 'pome-globalchannel', '--help'], app);
    assert.match(usage, /^Usage:\n  pome-globalchannel copy /);
  });

  it('can be imported from an ES module', () => {
    const script = path.join(app, 'esm.mjs');
    fs.writeFileSync(
      script,
      `import globalChannel, { GlobalChannel, components, createPinusPlugin } from '${name}';
      console.log(typeof globalChannel.components, typeof components);
      console.log(typeof GlobalChannel, typeof createPinusPlugin().name);`,
    );
    assert.strictEqual(
      succeed(process.execPath, [script], app),
      'string string\nfunction string\n',
    );
  });

  it('says what to do on a platform that it has no addon for', () => {
    const done = node(
      `Object.defineProperty(process, 'platform', { value: 'sunos' }); require('${name}')`,
    );
    assert.notStrictEqual(done.status, 0);
    assert.ok(done.stderr.includes(`sunos-${process.arch}`), done.stderr);
    assert.match(done.stderr, /npm run build/);
  });

  it('says what to do when the addon is not there', () => {
    fs.rmSync(path.join(installed, addonFile()));
    const done = node(`require('${name}')`);
    assert.notStrictEqual(done.status, 0);
    assert.ok(done.stderr.includes(`${process.platform}-${process.arch}`), done.stderr);
    assert.match(done.stderr, /npm run build/);
  });

  it('says that Rust is missing when it is built from source without', () => {
    const done = run('npm', ['run', 'build'], installed);
    assert.notStrictEqual(done.status, 0);
    assert.match(done.stderr, /cargo not found[^]*rustup/);
  });

  it('is built from source by npm run build, with Rust and no dev dependency', (t) => {
    const rustc = run('rustc', ['-vV'], app, process.env);
    if (rustc.status !== 0) return t.skip('no Rust here');
    // Into this clone's target folder, and for a target by name as `napi build` does, so that only
    // the crate itself is compiled and not all that it depends on.
    const host = /^host: (.*)$/m.exec(rustc.stdout)[1];
    const target = { CARGO_TARGET_DIR: path.join(root, 'target'), CARGO_BUILD_TARGET: host };
    // Nor is that optimised, by a file that cargo finds above the package: whether it compiles does not depend on it.
    fs.mkdirSync(path.join(app, '.cargo'));
    fs.writeFileSync(
      path.join(app, '.cargo/config.toml'),
      `[profile.release.package.${name}]\nopt-level = 0\ncodegen-units = 16\n`,
    );
    const before = cargoOutputs(host);
    try {
      succeed('npm', ['run', 'build'], installed, plainEnv({ PATH: process.env.PATH, ...target }));
    } finally {
      // cargo names its files after the folder of the crate; each run would leave a set behind.
      const left = cargoOutputs(host).filter((file) => !before.includes(file));
      for (const file of left) fs.rmSync(file, { recursive: true, force: true });
    }
    assert.match(smoke(), /smoke test passed/);
  });

  it('is not packed at all when it was not built', () => {
    const clone = path.join(folder, 'clone');
    for (const part of ['package.json', 'index.d.ts', 'scripts']) {
      // The stage `runners` installs its packages in a folder of scripts/, perhaps at this moment.
      const filter = (file) => path.basename(file) !== 'node_modules';
      fs.cpSync(path.join(root, part), path.join(clone, part), { recursive: true, filter });
    }
    const done = run('npm', ['pack'], clone);
    assert.notStrictEqual(done.status, 0);
    assert.match(done.stderr, /binding\.js[^]*npm run build/);
    assert.deepStrictEqual(
      fs.readdirSync(clone).filter((file) => file.endsWith('.tgz')),
      [],
    );
  });
});

/** What cargo keeps of our own crate in release builds, the build script included. */
function cargoOutputs(host) {
  const folders = ['release', `${host}/release`].flatMap((part) =>
    ['deps', 'build', '.fingerprint'].map((kind) => path.join(root, 'target', part, kind)),
  );
  return folders.filter(fs.existsSync).flatMap((folder) =>
    fs
      .readdirSync(folder)
      .filter((file) => file.includes('globalchannel'))
      .map((file) => path.join(folder, file)),
  );
}
