'use strict';

/**
 * An addon that is there and cannot be loaded: the first line of the error says which file failed and why, since pomelo logs
 * only the stack. A missing addon is tested in pack.test.js.
 */

const assert = require('node:assert');
const { spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { after, before, describe, it } = require('node:test');
const { addonFile } = require('../scripts/build');

const root = path.join(__dirname, '..');
const isRoot = process.getuid && process.getuid() === 0;
const major = parseInt(process.versions.node, 10);

const PARTS = ['index.js', 'binding.js', 'package.json', 'lib'];
const NAMESPACE = ['unshare', '--user', '--map-root-user', '--mount'];

const here = fs.readFileSync(path.join(root, addonFile()), 'latin1');
/** A version of glibc that the addon needs, on which it is made to depend in a higher number. */
const [needed] = /GLIBC_2\.\d+/.exec(here) || [];
const canMount = spawnSync(NAMESPACE[0], [...NAMESPACE.slice(1), 'true']).status === 0;

let folder; // a copy of the package
let addon;

/** The first line of what `require` of the package throws, and the rest. */
function failure({ options = {}, flags = [], env = {} } = {}) {
  const script = `try { require(${JSON.stringify(folder)}); } catch (err) { console.log(err.stack); }`;
  const { NODE_OPTIONS, ...plain } = process.env;
  const done = spawnSync(process.execPath, [...flags, '-e', script], {
    encoding: 'utf8',
    env: { ...plain, ...env },
    ...options,
  });
  return done.stdout.split('\n')[0] || `nothing: ${done.stderr}`;
}

const withBytes = (change) => fs.writeFileSync(addon, change(fs.readFileSync(addon)));

describe('an addon that cannot be loaded', { skip: process.platform !== 'linux' }, () => {
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pome-load-'));
    fs.chmodSync(folder, 0o755);
    for (const part of PARTS) {
      fs.cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
    }
    addon = path.join(folder, addonFile());
  });

  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  /** Puts the addon there anew for each test: it must not be a file that a process has mapped. */
  function fresh() {
    fs.rmSync(addon, { force: true });
    fs.copyFileSync(path.join(root, addonFile()), addon);
    fs.chmodSync(addon, 0o755);
  }

  function says(line, ...patterns) {
    assert.ok(
      line.startsWith('Error: pome-globalchannel-plugin: cannot load its compiled addon '),
      line,
    );
    assert.ok(line.includes(addon), line);
    for (const pattern of patterns) assert.match(line, pattern);
  }

  it('is damaged', () => {
    fresh();
    withBytes((bytes) => bytes.subarray(0, 20));
    says(failure(), /damaged/, /file too short/);
    fresh();
    withBytes(() => Buffer.from('<html>not found</html>'.repeat(50)));
    says(failure(), /damaged/, /invalid ELF header/);
  });

  it('is unreadable for this user', () => {
    fresh();
    fs.chmodSync(addon, 0o200);
    says(failure(isRoot ? { options: { uid: 65534, gid: 65534 } } : {}), /may not read/);
  });

  it('needs a newer glibc', { skip: !needed && 'built for another libc' }, () => {
    fresh();
    withBytes((bytes) => {
      const text = bytes.toString('latin1').replaceAll(needed, needed.replace('_2', '_9'));
      return Buffer.from(text, 'latin1');
    });
    says(failure(), /glibc of this system is too old/, /GLIBC_9/);
  });

  it('is on a file system without execution', { skip: !canMount && 'no namespace here' }, () => {
    fresh();
    const [copy, mount] = ['copy', 'mnt'].map((name) => path.join(folder, name));
    for (const each of [copy, mount]) fs.mkdirSync(each);
    for (const part of [...PARTS, addonFile()]) {
      fs.cpSync(path.join(folder, part), path.join(copy, part), { recursive: true });
    }
    const script = `mount -t tmpfs -o noexec none ${mount} && cp -r ${copy}/. ${mount} && exec "$@"`;
    const load = `try { require('${mount}'); } catch (err) { console.log(err.stack); }`;
    const [program, ...args] = [
      ...NAMESPACE,
      'sh',
      '-c',
      script,
      'sh',
      process.execPath,
      '-e',
      load,
    ];
    const [line] = spawnSync(program, args, { encoding: 'utf8' }).stdout.split('\n');
    assert.ok(line.includes(path.join(mount, addonFile())), line);
    assert.match(line, /cannot load its compiled addon .* mounted noexec/);
  });

  it('is forbidden by the permission model of Node', { skip: major < 20 && 'it has none' }, () => {
    fresh();
    const flag = major < 24 ? '--experimental-permission' : '--permission';
    says(failure({ flags: [flag, '--allow-fs-read=*'] }), /--allow-addons/);
  });

  it('is one that NAPI_RS_NATIVE_LIBRARY_PATH names', () => {
    fresh();
    const elsewhere = path.join(folder, 'elsewhere.node');
    const env = { NAPI_RS_NATIVE_LIBRARY_PATH: elsewhere };
    assert.match(
      failure({ env }),
      /there is no .*elsewhere\.node, which NAPI_RS_NATIVE_LIBRARY_PATH/,
    );
    fs.writeFileSync(elsewhere, 'x'.repeat(100));
    assert.match(failure({ env }), /cannot load its compiled addon .*elsewhere\.node: .*damaged/);
  });

  it('is not there: only then the error says that there is none', () => {
    fs.rmSync(addon, { force: true });
    const line = failure();
    assert.match(line, /has no compiled addon for linux-/);
    assert.match(line, /npm run build.* Cannot find module '\.\/pome-globalchannel-plugin\./);
    assert.doesNotMatch(line, /package-lock/);
  });
});
