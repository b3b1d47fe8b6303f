'use strict';

/**
 * A cleaner of old files (as of /tmp) runs while the store is open. The files never look old; and whichever of them is
 * removed all the same, except the rows themselves, no acknowledged write is lost: processes that start later share the
 * store with those that have it open.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const fs = require('fs');
const path = require('path');
const { place, fault, clearing } = require('./place');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { started } = require('../support/service');
const { until, pause } = require('../support/until');

/** How often in the long test. */
const ROUNDS = 4;

/** Adds so many uids, one after the other, then reads how many of all are there. */
const writer = async ({ started: start, ok: must, call: ask, args, emit }) => {
  const service = await start();
  for (let i = 0; i < args.adds; i += 1) {
    await must(service, 'add', 'n', `${args.name}-${i}`, 's1');
  }
  emit((await must(service, 'getMembersBySid', 'n', 's1')).length);
  await ask(service, 'stop', true);
};

/** Adds uids for a while, and sees all of them at any time. Says how many. */
const busy = async ({ started: start, ok: must, call: ask, args, emit }) => {
  const service = await start({ commandTimeout: 30000 });
  const end = Date.now() + args.ms;
  let added = 0;
  while (Date.now() < end) {
    await must(service, 'add', args.name, `${args.name}-${added}`, 's1');
    added += 1;
    if (added % 50 === 0) {
      const { length } = await must(service, 'getMembersBySid', args.name, 's1');
      if (length !== added) throw new Error(`${length} of ${added}`);
    }
  }
  await ask(service, 'stop', true);
  emit(added);
};

/** A process that ends takes its file away. */
const isFile = (name) => {
  const stat = fs.statSync(name, { throwIfNoEntry: false });
  return stat !== undefined && stat.isFile();
};

/** All files of the store, with their paths. */
const files = (store) =>
  fs
    .readdirSync(store.path, { recursive: true })
    .map((name) => store.file(name))
    .filter(isFile);

const others = (store) => files(store).filter((name) => path.basename(name) !== 'data.mdb');

/** What is swept, by name. */
const SWEPT = {
  'the file of the process': (store) => [store.file(`processes/${process.pid}`)],
  'the lock file': (store) => [store.file('lock.mdb')],
  'a lock of the gate': (store) => [store.file('write.lock')],
  'store.json': (store) => [store.file('store.json')],
  'all but the rows': others,
};

describe('a cleaner of old files', () => {
  clearing();

  for (const [what, swept] of Object.entries(SWEPT)) {
    fault(`${what}: the next process shares the store, and nothing is lost`, async () => {
      const store = place();
      const lines = await logged(async () => {
        const service = await started(store);
        const add = async (from, to) => {
          for (let i = from; i < to; i += 1) await ok(service, 'add', 'n', `mine-${i}`, 's1');
        };
        await add(0, 100);
        for (const file of swept(store)) fs.rmSync(file);
        if (!fs.readdirSync(store.file('processes')).length) fs.rmdirSync(store.file('processes'));
        const [run] = await Promise.all([
          store.run(writer, { name: 'other', adds: 100 }),
          add(100, 300),
        ]);
        await add(300, 400);
        const { length } = await ok(service, 'getMembersBySid', 'n', 's1');
        assert.strictEqual(length, 500, `the other process read ${run.messages[0]}`);
        const after = await store.run(writer, { name: 'last', adds: 1 });
        assert.deepStrictEqual(after.messages, [501]);
        await call(service, 'stop', true);
      });
      assert.ok(lines.length < 12, lines.join('\n'));
      assert.strictEqual((await store.audit()).members, 501);
      assert.ok(store.state().closed, 'the last process has closed it in order');
    });
  }

  fault(`${ROUNDS} times, while processes come and go`, async () => {
    const store = place();
    // Always open: what is removed between the end of the last process and the start of the next is lost.
    const open = await started(store);
    const state = { sweeping: true, started: 0 };
    const added = [];
    const comeAndGo = async () => {
      while (state.sweeping) {
        const args = { name: `w${(state.started += 1)}`, ms: 1000 + Math.random() * 2000 };
        const { messages } = await store.run(busy, args);
        added.push(messages[0]);
      }
    };
    const sweep = async () => {
      for (let i = 0; i < ROUNDS; i += 1) {
        await pause(2000 + Math.random() * 1000);
        // A file of a process that has just ended is gone already.
        const some = others(store).filter(() => Math.random() < 0.6);
        for (const file of some) fs.rmSync(file, { force: true });
      }
      state.sweeping = false;
    };
    await Promise.all([comeAndGo(), comeAndGo(), sweep()]);
    await call(open, 'stop', true);
    const { members } = await store.audit();
    assert.strictEqual(
      members,
      added.reduce((sum, n) => sum + n),
    );
  });

  fault('the files never look old, without a call', async () => {
    const store = place();
    await started(store);
    const old = new Date(Date.now() - 40 * 24 * 3600 * 1000);
    // No process has this one open: it is made anew each time.
    const watched = files(store).filter((name) => path.basename(name) !== 'opening.lock');
    for (const file of watched) fs.utimesSync(file, old, old);
    const isFresh = (file) => fs.statSync(file).mtimeMs > Date.now() - 3600 * 1000;
    await until(() => watched.every(isFresh), 'fresh files');
  });
});
