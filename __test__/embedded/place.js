'use strict';

/**
 * A folder for an embedded store, the processes on it, and checks from outside: by a fresh process with the addon of the test
 * build, so that both builds are used on every folder. What the processes do is in the test files.
 */

const { spawn } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { it, afterEach } = require('node:test');
const child = require('../support/child');
const { stopAll } = require('../support/service');
const { IMPL } = require('../support/rows');
const { ADDON } = require('../cache/use-broken');
const { removeFolder } = require('../support/remove');

const USE_OTHER = path.join(__dirname, '../cache/use-broken.js');
const TIMEOUT = 60000;

const toClear = [];
const running = new Set();

class Place {
  constructor(folder) {
    this.path = folder;
  }

  options(more) {
    return { store: 'embedded', path: this.path, ...more };
  }

  file(name) {
    return path.join(this.path, name);
  }

  state() {
    return JSON.parse(fs.readFileSync(this.file('store.json'), 'utf8'));
  }

  /** Changes store.json. */
  rewrite(change) {
    const state = this.state();
    change(state);
    fs.writeFileSync(this.file('store.json'), JSON.stringify(state));
  }

  /** Processes that have left a file in the folder, dead or alive. */
  processes() {
    return fs.readdirSync(this.file('processes'));
  }

  /** A process that does `job`, see support/child.js; options of the service in `args.more`. */
  start(job, args = {}, { otherBuild = false, nodeArgs = [], env = {}, within } = {}) {
    const store = { options: () => this.options(args.more) };
    const run = child.start(job, {
      store,
      args,
      within,
      env: { ...env, ...(otherBuild ? { GLOBALCHANNEL_TEST_BUILD: '1' } : {}) },
      nodeArgs: otherBuild ? ['-r', USE_OTHER, ...nodeArgs] : nodeArgs,
    });
    running.add(run);
    run.closed.then(() => running.delete(run));
    return run;
  }

  /** To its end. */
  async run(job, args, options) {
    const run = await this.start(job, args, options).closed;
    if (run.code !== 0) throw new Error(`${run.code} ${run.signal}: ${run.output}`);
    return run;
  }

  /**
   * A fresh process goes through all rows, and writes. Resolves to `{channels, members, readers}`, or
   * fails with what does not belong together.
   */
  async audit() {
    const script = `
      const { audit } = require(process.argv[1]);
      const [channels, members, readers] = audit(process.argv[2]);
      console.log(JSON.stringify({ channels, members, readers }));`;
    const found = JSON.parse(await output(['-e', script, ADDON, this.path]));
    const job = async ({ started, ok, call }) => {
      const service = await started();
      await ok(service, 'add', 'audit', 'me', 's1');
      const [uid] = await ok(service, 'getMembersBySid', 'audit', 's1');
      await ok(service, 'destroyChannel', 'audit');
      await call(service, 'stop', true);
      if (uid !== 'me') throw new Error(`it read ${uid}`);
    };
    await this.run(job);
    return found;
  }
}

async function output(args) {
  const run = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  run.stdout.on('data', (chunk) => (out += chunk));
  run.stderr.on('data', (chunk) => (err += chunk));
  const code = await new Promise((resolve) => run.on('close', resolve));
  if (code !== 0) throw new Error(`ended with ${code}: ${err}`);
  return out;
}

/** Does something after the test, last registered first done. */
const later = (clear) => toClear.push(clear);

/** A place that is cleared away after the test. */
function place(parent = os.tmpdir()) {
  const base = fs.mkdtempSync(path.join(parent, 'embedded-'));
  later(() => removeFolder(base));
  return new Place(path.join(base, 'store'));
}

/** Declares a test of the embedded store. Its processes end with it, and its folders go. */
function fault(title, fn, { skip, timeout = TIMEOUT } = {}) {
  it(title, { skip: (IMPL === 'old' && 'not about 0.0.7') || skip, timeout }, fn);
}

/** Called once in each suite. */
function clearing() {
  afterEach(async () => {
    await stopAll();
    await Promise.all(
      [...running].map((run) => {
        run.child.kill('SIGKILL');
        return run.closed;
      }),
    );
    while (toClear.length) toClear.pop()();
  });
}

/** Why a test that mounts something is skipped, if it is. */
const needsRoot =
  (process.platform !== 'linux' && 'needs Linux') ||
  (process.getuid() !== 0 && 'needs root, to mount a file system or to be another user');

module.exports = { Place, place, later, fault, clearing, needsRoot, output, ADDON };
