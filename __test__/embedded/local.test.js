'use strict';

/**
 * A file system that is not known to be local is refused, unless an option says that it is local; and if that is not true,
 * processes that do not see each other's locks detect it. A network file system is imitated by two mounts of one folder
 * with bindfs (FUSE).
 */

const assert = require('node:assert');
const { execFileSync, spawnSync } = require('child_process');
const { describe } = require('node:test');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { Place, place, fault, later, clearing, needsRoot } = require('./place');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { create, started } = require('../support/service');
const { until, pause } = require('../support/until');

const skip =
  needsRoot ||
  (spawnSync('bindfs', ['--version']).status !== 0 && 'needs bindfs') ||
  (!fs.existsSync('/dev/fuse') && 'needs FUSE');

const LOCAL = { localFileSystem: true };

/** The same folder on so many mounts. */
function mounted(count) {
  const folder = path.dirname(place().path);
  return Array.from({ length: count }, () => {
    const mount = fs.mkdtempSync(path.join(os.tmpdir(), 'embedded-fuse-'));
    execFileSync('bindfs', [folder, mount]);
    later(() => {
      execFileSync('umount', ['-l', mount]);
      fs.rmdirSync(mount);
    });
    return new Place(path.join(mount, 'store'));
  });
}

/** Adds uids until it is told to end or an add fails. Says how many were acknowledged, and the error. */
const adder = async ({ create: make, call: ask, opts, args, emit }) => {
  const service = make({ ...opts, commandTimeout: 2000 });
  const { err } = await ask(service, 'start');
  emit(err ? `${err.code} ${err.message}` : 'started');
  if (err) return;
  const input = process.stdin.resume();
  let added = 0;
  let failed = null;
  while (!input.readableEnded && !failed) {
    const answer = await ask(service, 'add', 'n', `${args.name}-${added}`, 's1');
    failed = answer.err && answer.err.message;
    if (!failed) added += 1;
  }
  emit({ added, failed });
  await ask(service, 'stop', true);
};

describe('a file system that is not known to be local', () => {
  clearing();

  fault(
    'FUSE is refused, and the option is named',
    async () => {
      const [store] = mounted(1);
      await logged(async () => {
        const { err } = await call(create(store.options()), 'start');
        assert.strictEqual(err && err.code, 'ERR_GLOBAL_CHANNEL_STORE');
        assert.match(err.message, /not known to be local \(FUSE\).*localFileSystem/);
      });
    },
    { skip },
  );

  fault(
    'with the option processes share it, and a dead process is replaced',
    async () => {
      const [store] = mounted(1);
      const service = await started(store, LOCAL);
      const other = store.start(adder, { name: 'other', more: LOCAL });
      await other.message('started');
      // Longer than others are watched.
      await pause(3000);
      await ok(service, 'add', 'n', 'mine', 's1');
      other.child.kill('SIGKILL');
      await other.closed;
      const next = store.start(adder, { name: 'next', more: LOCAL });
      await next.message('started');
      next.child.stdin.end();
      await next.closed;
      assert.strictEqual(next.messages[1].failed, null);
      assert.ok((await ok(service, 'getMembersBySid', 'n', 's1')).includes('mine'));
    },
    { skip },
  );

  fault(
    'where that is not true, the second process is refused and the first goes on',
    async () => {
      const [one, two] = mounted(2);
      const first = one.start(adder, { name: 'first', more: LOCAL });
      await first.message('started');
      for (let i = 0; i < 2; i += 1) {
        const second = two.start(adder, { name: 'second', more: LOCAL });
        await second.closed;
        assert.match(second.messages[0], /ERR_GLOBAL_CHANNEL_STORE .*its lock is not seen here/);
      }
      first.child.stdin.end();
      await first.closed;
      const [, { added, failed }] = first.messages;
      assert.strictEqual(failed, null, first.output);
      const service = await started(one, LOCAL);
      assert.strictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).length, added);
    },
    { skip },
  );

  fault(
    'both at once: at most one goes on, and the other hears why',
    async () => {
      const stores = mounted(2);
      const runs = stores.map((store, n) => store.start(adder, { name: `p${n}`, more: LOCAL }));
      const heard = ({ messages, output }) =>
        /its lock is not seen here/.test(JSON.stringify(messages) + output);
      await until(() => runs.some(heard), 'one that hears', 30000);
      for (const run of runs) {
        run.child.stdin.end();
        await run.closed;
      }
    },
    { skip },
  );
});
