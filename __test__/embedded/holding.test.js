'use strict';

/**
 * A process that is stopped (SIGSTOP) at each moment at which it holds a lock of LMDB, one after the other: the reads of
 * other processes go on, their writes are answered by the deadline, and so is every call to another store of theirs.
 */

const assert = require('node:assert');
const { execFileSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { describe } = require('node:test');
const { place, fault, later, clearing } = require('./place');
const { call, ok } = require('../support/call');
const { started } = require('../support/service');
const { until } = require('../support/until');

const TIMEOUT = 'ERR_GLOBAL_CHANNEL_TIMEOUT';
/** The deadline of a write, which may have to wait for a process that is stopped. */
const LIMIT = 3000;

/** How long anything else may take, because the machine may be busy: a deadline of LIMIT would then pass for no reason. */
const PATIENCE = 60000;

function preload() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'embedded-holding-'));
  later(() => fs.rmSync(folder, { recursive: true, force: true }));
  const library = path.join(folder, 'holding.so');
  const source = path.join(__dirname, 'holding.c');
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl']);
  return library;
}

/** Opens the store, reads and writes, each with few and with many members, and closes it. */
async function visit({ started: start, ok: must, call: may }) {
  const service = await start({ commandTimeout: 60000 });
  const many = Array.from({ length: 50000 }, (_, i) => `u${i}`);
  await must(service, 'getMembersBySid', 'n', 's1');
  await must(service, 'add', 'visited', 'u', 's1');
  await must(service, 'add', 'many', many, 's1');
  const lists = await Promise.all(
    [1, 2, 3].map(() => must(service, 'getMembersBySid', 'many', 's1')),
  );
  if (lists[0].length !== many.length) throw new Error(`${lists[0].length} members`);
  await must(service, 'destroyChannel', 'many');
  await may(service, 'stop', true);
}

/** Whether the process is stopped (state T). */
function isStopped(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
}

/** Answered, with or without an error; a call that is never answered fails the test. */
async function answered(what, ...args) {
  const late = new Promise((_, reject) => {
    const error = new Error(`${what} was neither answered nor overdue`);
    setTimeout(reject, 2 * PATIENCE, error).unref();
  });
  return Promise.race([call(...args), late]);
}

describe('a process that stops while it holds a lock of LMDB', () => {
  clearing();

  fault(
    'reads of others go on, and each call is answered',
    async () => {
      const library = preload();
      const [store, other] = [place(), place()];
      const patient = { commandTimeout: PATIENCE, cache: false };
      const service = await started(store, { ...patient, commandTimeout: LIMIT });
      const [reader, beside] = [await started(store, patient), await started(other, patient)];
      await ok(reader, 'add', 'n', ['a', 'b'], 's1');
      // So many are read by another thread.
      const long = Array.from({ length: 50000 }, (_, i) => `u${i}`);
      await ok(reader, 'add', 'long', long, 's1');
      await ok(beside, 'add', 'n', 'c', 's1');
      let [stops, held] = [0, 0];
      for (;;) {
        const env = { LD_PRELOAD: library, HOLDING_AT: `${stops + 1}` };
        const run = store.start(visit, {}, { env });
        const ended = () => run.code !== undefined || run.signal;
        await until(() => ended() || isStopped(run.child.pid), 'a stop or an end', PATIENCE);
        if (ended()) {
          assert.strictEqual(run.code, 0, `${run.signal} ${run.output}`);
          break;
        }
        stops += 1;
        const at = `at stop ${stops}`;
        for (let i = 0; i < 2; i += 1) {
          const read = await answered(`a read ${at}`, reader, 'getMembersBySid', 'n', 's1');
          assert.deepStrictEqual([read.err, read.value && read.value.sort()], [null, ['a', 'b']]);
          const longRead = await answered(
            `a long read ${at}`,
            reader,
            'getMembersBySid',
            'long',
            's1',
          );
          assert.deepStrictEqual(
            [longRead.err, longRead.value && longRead.value.length],
            [null, long.length],
          );
          // Waits for the stopped process if that holds the lock for writing.
          const write = await answered(`a write ${at}`, service, 'add', 'w', `u${i}`, 's1');
          if (write.err) assert.strictEqual(write.err.code, TIMEOUT);
          if (write.err && i === 0) held += 1;
          const others = await answered(`another store ${at}`, beside, 'add', 'n', `d${i}`, 's1');
          assert.strictEqual(others.err, null);
        }
        run.child.kill('SIGCONT');
        await run.closed;
        assert.strictEqual(run.code, 0, `${at}: ${run.signal} ${run.output}`);
        const isWritten = async () => !(await call(service, 'add', 'w', 'x', 's1')).err;
        await until(isWritten, 'writes again', PATIENCE);
      }
      // The lock for writing, and that of the table of readers.
      assert.ok(held >= 3 && stops > held, `${stops} stops, ${held} of them held up a write`);
      await store.audit();
    },
    {
      skip: process.platform !== 'linux' && 'LD_PRELOAD and /proc are of Linux',
      timeout: 300000,
    },
  );
});
