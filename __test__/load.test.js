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

let folder; // a copy of the package
let addon;

/** The first line of what `require` of the package throws, and the rest. */
function failure({ options = {}, flags = [], env = {}, within = [] } = {}) {
  const script = `try { require(${JSON.stringify(folder)}); } catch (err) { console.log(err.stack); }`;
  const [program, ...args] = [...within, process.execPath, ...flags, '-e', script];
  const { NODE_OPTIONS, ...plain } = process.env;
  const done = spawnSync(program, args, {
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
    for (const part of ['index.js', 'binding.js', 'package.json', 'lib']) {
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

  it('needs a newer glibc', (t) => {
    fresh();
    const [needed] = /GLIBC_2\.\d+/.exec(fs.readFileSync(addon, 'latin1')) || [];
    if (!needed) return t.skip('built for another libc');
    withBytes((bytes) => {
      const text = bytes.toString('latin1').replaceAll(needed, needed.replace('_2', '_9'));
      return Buffer.from(text, 'latin1');
    });
    says(failure(), /glibc of this system is too old/, /GLIBC_9/);
  });

  it('is on a file system without execution', (t) => {
    fresh();
    // A file system of its own over the folder, in a namespace of its own.
    const script = `mount -t tmpfs -o noexec none ${folder}/mnt && cp -r ${folder}/copy/. ${folder}/mnt && exec "$@"`;
    const within = ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh'];
    const copies = ['copy', 'mnt'].map((name) => path.join(folder, name));
    for (const copy of copies) fs.mkdirSync(copy);
    for (const part of ['index.js', 'binding.js', 'package.json', 'lib', addonFile()]) {
      fs.cpSync(path.join(folder, part), path.join(copies[0], part), { recursive: true });
    }
    if (spawnSync(within[0], [...within.slice(1), 'true']).status !== 0) {
      return t.skip('no namespace can be made here');
    }
    const inside = `try { require('${copies[1]}'); } catch (err) { console.log(err.stack); }`;
    const [program, ...args] = [...within, process.execPath, '-e', inside];
    const [line] = spawnSync(program, args, { encoding: 'utf8' }).stdout.split('\n');
    assert.ok(line.includes(path.join(copies[1], addonFile())), line);
    assert.match(line, /cannot load its compiled addon .* mounted noexec/);
  });

  it('is forbidden by the permission model of Node', (t) => {
    if (major < 20) return t.skip('Node has none');
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
    assert.match(line, /npm run build/);
  });
});
