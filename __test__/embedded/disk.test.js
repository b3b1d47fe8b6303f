'use strict';

/**
 * A disk that is full, or fails: callers get errors, reads go on, nothing is damaged, and when there is room again writes
 * succeed without a restart. The file systems are small ones in memory.
 */

const assert = require('node:assert');
const { execFileSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { describe } = require('node:test');
const { place, fault, later, clearing, needsRoot } = require('./place');
const mounts = require('./mounts');
const { until } = require('../support/until');

const STORE = 'ERR_GLOBAL_CHANNEL_STORE';

/** Leaves so many bytes free. */
function fill(folder, left) {
  const ballast = path.join(folder, 'ballast');
  fs.rmSync(ballast, { force: true });
  const { bavail, bsize } = fs.statfsSync(folder);
  fs.writeFileSync(ballast, Buffer.alloc(bavail * bsize - left));
}

const free = (folder) => fs.rmSync(path.join(folder, 'ballast'));

describe('the disk', () => {
  clearing();

  fault(
    'full: adds fail with an error, reads go on, with room again adds succeed',
    async () => {
      const disk = mounts.small(3 << 10);
      const store = place(disk);
      fill(disk, 2 << 20);
      const job = async ({ started, ok, call, emit }) => {
        const service = await started();
        await ok(service, 'add', 'n', 'first', 's1');
        const uids = (i) => Array.from({ length: 500 }, (_, n) => `${i}-${n}`.padStart(100, 'x'));
        const added = [];
        let failed;
        for (let i = 0; !failed; i += 1) {
          const { err } = await call(service, 'add', `big${i}`, uids(i), 's1');
          if (err) failed = err;
          else added.push(i);
        }
        emit({ code: failed.code, message: failed.message });
        emit(await ok(service, 'getMembersBySid', 'n', 's1'));
        for (const i of added) {
          const there = await ok(service, 'getMembersBySid', `big${i}`, 's1');
          if (there.length !== 500) throw new Error(`${there.length} of big${i}`);
        }
        // An error each time, and no end of the process.
        for (let i = 0; i < 20; i += 1) await call(service, 'add', 'again', uids(i), 's1');
        emit(added.length);
        process.stdin.on('end', async () => {
          await ok(service, 'add', 'big', uids('after'), 's1');
          emit((await ok(service, 'getMembersBySid', 'big', 's1')).length);
          await call(service, 'stop', true);
        });
        process.stdin.resume();
      };
      const run = store.start(job);
      await until(() => run.messages.length === 3 || run.code !== undefined, 'a full disk');
      free(disk);
      run.child.stdin.end();
      await run.closed;
      assert.strictEqual(run.code, 0, `${run.signal} ${run.output}`);
      const [{ code, message }, first, added, after] = run.messages;
      assert.strictEqual(code, STORE);
      assert.match(message, /disk .*is full/);
      assert.deepStrictEqual([first, after], [['first'], 500]);
      assert.ok(added > 2, `${added} were added before`);
      await store.audit();
    },
    { skip: needsRoot },
  );

  fault(
    'filled at any point of opening and of the first writes: an error, and all is well with room again',
    async () => {
      const disk = mounts.small(4 << 10);
      const store = place(disk);
      fs.mkdirSync(store.path);
      const job = async ({ create, call, ok, opts, args, emit }) => {
        const fs = require('fs');
        const path = require('path');
        const step = 4096;
        for (let left = 0; left <= 240 * 1024; left += step) {
          const folder = path.join(opts.path, `s${left}`);
          fs.mkdirSync(folder);
          const { bavail, bsize } = fs.statfsSync(opts.path);
          fs.writeFileSync(args.ballast, Buffer.alloc(bavail * bsize - left));
          const service = create({ ...opts, path: folder });
          const { err } = await call(service, 'start');
          let added;
          if (!err) added = (await call(service, 'add', 'n', ['u', 'v'], 's1')).err;
          await call(service, 'stop', true);
          fs.rmSync(args.ballast);
          emit([left, err && `${err.code} ${err.message}`, added && added.message]);

          const again = create({ ...opts, path: folder });
          await ok(again, 'start');
          const before = await ok(again, 'getMembersBySid', 'n', 's1');
          const expected = !err && !added ? 2 : 0;
          if (before.length !== expected) throw new Error(`${left}: ${before}`);
          await ok(again, 'add', 'n', 'w', 's1');
          await call(again, 'stop', true);
          fs.rmSync(folder, { recursive: true });
        }
      };
      const { messages } = await store.run(job, { ballast: path.join(disk, 'ballast') });
      const failed = messages.filter(([, start]) => start);
      const refused = messages.filter(([, start, added]) => !start && added);
      assert.ok(
        failed.length > 5 && refused.length > 0 && !messages.at(-1)[1],
        messages.join('\n'),
      );
      for (const [, words] of failed)
        assert.match(words, /^ERR_GLOBAL_CHANNEL_STORE .*(full|space)/);
      for (const [, , words] of refused) assert.match(words, /full/);
    },
    { skip: needsRoot },
  );

  fault(
    'a limit of the process for the size of files: an error that names it, and reads go on',
    async () => {
      const store = place();
      const job = async ({ started, call, ok, emit }) => {
        const service = await started();
        const uids = (i) => Array.from({ length: 500 }, (_, n) => `${i}-${n}`.padStart(100, 'x'));
        let failed;
        for (let i = 0; !failed && i < 1000; i += 1) {
          failed = (await call(service, 'add', `big${i}`, uids(i), 's1')).err;
        }
        emit({ code: failed.code, message: failed.message });
        emit((await ok(service, 'getMembersBySid', 'big0', 's1')).length);
        await call(service, 'stop', true);
      };
      // In blocks of 512 or 1024 bytes, as the shell has them.
      const limited = ['sh', '-c', 'ulimit -f 2000; exec "$@"', 'sh'];
      const run = await store.run(job, {}, { within: limited });
      const [{ code, message }, members] = run.messages;
      assert.strictEqual(code, STORE);
      assert.match(message, /may not write larger files \(ulimit -f, LimitFSIZE\)/);
      assert.strictEqual(members, 500);
      await store.audit();

      const none = place();
      const start = async ({ create, call, opts, emit }) => {
        const service = create(opts);
        const { err } = await call(service, 'start');
        emit({ code: err && err.code, message: err && err.message });
        await call(service, 'stop', true);
      };
      const nothing = ['sh', '-c', 'ulimit -f 0; exec "$@"', 'sh'];
      const [refused] = (await none.run(start, {}, { within: nothing })).messages;
      assert.strictEqual(refused.code, STORE);
      assert.match(refused.message, /may not write larger files \(ulimit -f, LimitFSIZE\)/);
    },
    { skip: process.platform === 'win32' && 'there is no such limit' },
  );

  const compiler = process.platform !== 'linux' && 'LD_PRELOAD is of Linux';

  function faulty(folder) {
    const library = path.join(folder, 'faulty.so');
    const source = path.join(__dirname, 'faulty.c');
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl']);
    const env = { LD_PRELOAD: library, FAULTY_META: path.join(folder, 'fault') };
    env.FAULTY_LOG = path.join(folder, 'log');
    return env;
  }

  function workshop() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'embedded-faulty-'));
    later(() => fs.rmSync(folder, { recursive: true, force: true }));
    return faulty(folder);
  }

  fault(
    "LMDB's meta page cannot be written: an error; once it can, the store is opened anew",
    async () => {
      const env = workshop();
      const store = place();
      const job = async ({ started, ok, call, until: untilTrue, emit }) => {
        const fs = require('fs');
        const service = await started({ commandTimeout: 3000 });
        await ok(service, 'add', 'n', 'before', 's1');
        fs.writeFileSync(process.env.FAULTY_META, '');
        const { err } = await call(service, 'add', 'n', 'lost', 's1');
        emit(err.code);
        emit(await ok(service, 'getMembersBySid', 'n', 's1'));
        const { err: later } = await call(service, 'add', 'n', 'later', 's1');
        emit(later && later.code);
        fs.rmSync(process.env.FAULTY_META);
        await untilTrue(async () => !(await call(service, 'add', 'n', 'after', 's1')).err, 'add');
        emit((await ok(service, 'getMembersBySid', 'n', 's1')).sort());
        await call(service, 'stop', true);
      };
      const { messages } = await store.run(job, {}, { env });
      const [code, during, later, after] = messages;
      assert.strictEqual(code, STORE);
      assert.deepStrictEqual(during, ['before']);
      assert.match(later, /_(STORE|TIMEOUT|DISCONNECTED)$/);
      // A call that failed for want of time may still have been done.
      assert.deepStrictEqual(
        after.filter((uid) => uid !== 'later'),
        ['after', 'before'],
      );
      await store.audit();
    },
    { skip: compiler },
  );

  for (const durability of ['os', 'process']) {
    fault(
      `durability '${durability}': ${durability === 'os' ? 'each commit has waited' : 'none waits'} for the disk`,
      async () => {
        const env = workshop();
        const job = async ({ started, ok, call, args, emit }) => {
          const fs = require('fs');
          const service = await started();
          await ok(service, 'getMembersBySid', 'n', 's1');
          const size = () =>
            fs.existsSync(process.env.FAULTY_LOG)
              ? fs.readFileSync(process.env.FAULTY_LOG, 'utf8')
              : '';
          for (let i = 0; i < args.adds; i += 1) {
            const before = size().length;
            await ok(service, 'add', 'n', `u${i}`, 's1');
            emit(size().slice(before));
          }
          await call(service, 'stop', true);
        };
        const { messages } = await place().run(job, { adds: 10, more: { durability } }, { env });
        const expected = durability === 'os' ? 'sync\nmeta-synced\n' : 'meta\n';
        assert.deepStrictEqual(messages, Array(10).fill(expected));
      },
      { skip: compiler },
    );
  }

  for (const seconds of [1, 30]) {
    fault(
      `a sync takes ${seconds} s: stop ends in time and logs what is missing, a reboot loses nothing`,
      async () => {
        const env = workshop();
        const store = place();
        const slow = path.join(path.dirname(env.FAULTY_LOG), 'slow');
        const job = async ({ started, ok, call, args, emit }) => {
          const fs = require('fs');
          const service = await started();
          await ok(service, 'add', 'n', ['u', 'v'], 's1');
          fs.writeFileSync(args.slow, '');
          emit((await call(service, 'stop', true)).ms, () => process.exit(0));
        };
        env.FAULTY_SLOW = slow;
        env.FAULTY_SYNC = `${seconds}`;
        const { messages, output } = await store.run(job, { slow }, { env });
        // 2.5 s, and what a busy machine adds.
        assert.ok(messages[0] < 10000, `stop took ${messages[0]} ms`);
        const { closed, open } = store.state();
        assert.ok(closed || /did not wait .* for the disk/.test(output), output);
        assert.ok(seconds < 3 || open, 'all of it is on the disk');
        // As after a reboot.
        if (open) store.rewrite((state) => (state.open.boot = 'another'));
        const read = async ({ started, ok, emit }) =>
          emit(await ok(await started(), 'getMembersBySid', 'n', 's1'));
        const after = store.start(read);
        await until(() => after.messages.length || after.code !== undefined, 'a read');
        assert.deepStrictEqual(after.messages, [['u', 'v']], after.output);
      },
      { skip: compiler },
    );
  }
});
