'use strict';

/** Every file and folder of a store is for its owner only, whatever the umask and the previous state of the folder. */

const assert = require('node:assert');
const { describe } = require('node:test');
const fs = require('fs');
const path = require('path');
const { place, fault, clearing } = require('./place');

const skip = process.platform === 'win32' && 'modes are of Unix';

/** Opens the store under a umask, and ends in the given way. */
const open = async ({ started, become, ok, call, args, emit }) => {
  process.umask(args.umask);
  // Root may open what its mode forbids.
  if (process.getuid() === 0) become(args.uid);
  const service = await started();
  await ok(service, 'add', 'n', 'u', 's1');
  emit('there');
  if (args.orderly) await call(service, 'stop', true);
  else process.kill(process.pid, 'SIGKILL');
};

const NOBODY = 65534;

/** A place for a user who is not root. */
function owned() {
  const store = place();
  if (process.getuid() === 0) fs.chownSync(path.dirname(store.path), NOBODY, NOBODY);
  return store;
}

/** The modes of all that is in the folder: `[[name, mode], …]`, but for those that are as they should be. */
function loose(folder) {
  const names = fs.readdirSync(folder, { recursive: true });
  const modes = names.map((name) => {
    const stat = fs.statSync(path.join(folder, name));
    return [name, stat.isDirectory(), (stat.mode & 0o777).toString(8)];
  });
  assert.ok(modes.length > 5, names.join());
  return modes.filter(([, isFolder, mode]) => mode !== (isFolder ? '700' : '600'));
}

describe('for the owner only', () => {
  clearing();

  for (const umask of [0o000, 0o022, 0o777]) {
    for (const mode of [0o777, 0o755, undefined]) {
      const folder = mode ? `a folder with ${mode.toString(8)}` : 'a new folder';
      fault(
        `umask ${umask.toString(8)}, ${folder}`,
        async () => {
          const store = owned();
          if (mode) {
            fs.mkdirSync(store.path);
            if (process.getuid() === 0) fs.chownSync(store.path, NOBODY, NOBODY);
            fs.chmodSync(store.path, mode);
          }
          for (const orderly of [false, true]) {
            const run = await store.start(open, { umask, orderly, uid: NOBODY }).closed;
            const { messages, output } = run;
            assert.deepStrictEqual(messages, ['there'], output);
            assert.deepStrictEqual(loose(store.path), []);
            assert.strictEqual(/other users may write/.test(output), mode === 0o777, output);
          }
          const wanted = mode || 0o700;
          assert.strictEqual(
            fs.statSync(store.path).mode & 0o777,
            wanted,
            'it is not ours to change',
          );
        },
        { skip },
      );
    }
  }

  fault(
    'files that an older version created for all users are restricted',
    async () => {
      const store = owned();
      await store.run(open, { umask: 0, orderly: true, uid: NOBODY });
      for (const name of fs.readdirSync(store.path)) {
        if (name !== 'processes') fs.chmodSync(store.file(name), 0o666);
      }
      const run = store.start(open, { umask: 0, orderly: false, uid: NOBODY });
      await run.closed;
      assert.deepStrictEqual(loose(store.path), []);
    },
    { skip },
  );
});
