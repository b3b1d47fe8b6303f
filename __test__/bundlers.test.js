'use strict';

/**
 * A small pomelo app, bundled by esbuild and by ncc (installed into scripts/runners), runs: with the package outside of the
 * bundle as pomelo's plugin, and with the package in it.
 */

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const { addonFile } = require('../scripts/build');

const root = path.join(__dirname, '..');
const runners = path.join(root, 'scripts/runners/node_modules');
const { name } = require('../package.json');

const PARTS = ['index.js', 'binding.js', 'package.json', 'lib', addonFile()];

/** The app; `load(app, options)` is the line that differs. */
const appWith = (load) => `
const pomelo = require('pomelo');
const fs = require('fs');
const path = require('path');
const base = process.argv[2];
fs.mkdirSync(path.join(base, 'config'), { recursive: true });
const master = { id: 'm', host: '127.0.0.1', port: 1 };
for (const [name, config] of [['master', master], ['servers', {}]]) {
  const text = JSON.stringify({ development: config, production: config });
  fs.writeFileSync(path.join(base, 'config', name + '.json'), text);
}
const app = pomelo.createApp({ base });
app.addServers([{ id: 'c-1', serverType: 'connector', frontend: 'true', host: '127.0.0.1', port: 2 }]);
const options = { store: 'embedded', path: 'channels' };
(${load})(app, options);
const { promises } = app.get('globalChannelService');
promises.start()
  .then(() => promises.add('room', ['ann', 'bob'], 'c-1'))
  .then(() => promises.getMembersByChannelName('connector', 'room'))
  .then((uids) => promises.stop().then(() => console.log('members', uids.sort().join())))
  .catch((err) => { console.error(err); process.exit(1); });
`;

const AS_PLUGIN = `(app, options) => app.use(require('${name}'), { globalChannel: options })`;
const AS_COMPONENT = `(app, options) => app.load(require('${name}/lib/components/globalChannel'), options)`;

function succeed(program, args, options) {
  const done = spawnSync(program, args, { encoding: 'utf8', maxBuffer: Infinity, ...options });
  assert.strictEqual(done.status, 0, `${program} ${args.join(' ')}\n${done.stdout}${done.stderr}`);
  return done.stdout;
}

describe('a bundle', () => {
  let folder;

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pome-bundle-'));
    const installed = path.join(folder, 'source/node_modules', name);
    for (const part of PARTS) {
      fs.cpSync(path.join(root, part), path.join(installed, part), { recursive: true });
    }
  });
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  /** Writes the app where the package is installed. */
  function source(load) {
    const file = path.join(folder, 'source/app.js');
    fs.writeFileSync(file, appWith(load));
    return file;
  }

  /** Runs a bundle. pomelo is outside of it: it loads its components, and the app's code, from folders. */
  function run(file) {
    const base = fs.mkdtempSync(path.join(folder, 'base-'));
    const NODE_PATH = path.join(root, 'node_modules');
    return succeed(process.execPath, [file, base], { env: { ...process.env, NODE_PATH } });
  }

  const esbuild = (input, output, ...more) =>
    succeed(path.join(runners, '.bin/esbuild'), [
      input,
      '--bundle',
      '--platform=node',
      '--external:pomelo',
      '--log-level=error',
      `--outfile=${output}`,
      ...more,
    ]);

  it('of esbuild, with the package outside, as a plugin', () => {
    const output = path.join(folder, 'source/bundle.js');
    esbuild(source(AS_PLUGIN), output, `--external:${name}`);
    assert.match(run(output), /members ann,bob/);
  });

  it('of esbuild, with the package and its addon inside', () => {
    const output = path.join(folder, 'esbuild/bundle.js');
    esbuild(source(AS_COMPONENT), output, '--loader:.node=copy');
    assert.match(run(output), /members ann,bob/);
  });

  it('of ncc, with the package outside, as a plugin', () => {
    const output = path.join(folder, 'source/ncc');
    const args = ['build', source(AS_PLUGIN), '-q', '-o', output, '-e', 'pomelo', '-e', name];
    succeed(path.join(runners, '.bin/ncc'), args);
    assert.match(run(path.join(output, 'index.js')), /members ann,bob/);
  });

  it('of ncc, with the package and its addon inside', () => {
    const output = path.join(folder, 'ncc');
    const args = ['build', source(AS_COMPONENT), '-q', '-o', output, '-e', 'pomelo'];
    succeed(path.join(runners, '.bin/ncc'), args);
    assert.match(run(path.join(output, 'index.js')), /members ann,bob/);
  });

  it('has the exports of index.js, and what pinus takes', () => {
    const file = path.join(folder, 'source/exports.js');
    fs.writeFileSync(
      file,
      `const { GlobalChannel, createPinusPlugin } = require('${name}');
      const app = { set() {}, get() {}, getBase: () => process.argv[2] };
      const Component = createPinusPlugin().components[0];
      const opts = { globalChannel: { store: 'embedded', path: 'channels' } };
      const { promises } = new Component(app, opts);
      promises.start().then(() => promises.stop()).then(() => console.log(GlobalChannel.name, 'stopped'));`,
    );
    const output = path.join(folder, 'exports');
    succeed(path.join(runners, '.bin/ncc'), ['build', file, '-q', '-o', output]);
    assert.match(run(path.join(output, 'index.js')), /GlobalChannel stopped/);
    const bundle = path.join(folder, 'exports-esbuild/bundle.js');
    esbuild(file, bundle, '--loader:.node=copy');
    assert.match(run(bundle), /GlobalChannel stopped/);
  });
});
