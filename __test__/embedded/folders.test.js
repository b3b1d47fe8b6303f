'use strict';

/**
 * Folders that cannot be used, that are deleted, or whose files are damaged: an error that says so, or a working store
 * where that is possible; never rows that were not written.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const fs = require('fs');
const { place, fault, clearing, needsRoot } = require('./place');
const mounts = require('./mounts');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { started, create } = require('../support/service');
const { until } = require('../support/until');

const STORE = 'ERR_GLOBAL_CHANNEL_STORE';
const NOBODY = 65534;

/** Adds 5000 members, and ends in the given way. */
const fill = async ({ started: start, ok: must, call: ask, args, emit }) => {
  const service = await start();
  const uids = Array.from({ length: 5000 }, (_, i) => `uid-${i}`);
  await must(service, 'add', 'n', uids, 's1');
  emit('there');
  if (args.orderly) await ask(service, 'stop', true);
  else process.kill(process.pid, 'SIGKILL');
};

/** In a process of its own, which may be killed by what it reads. */
const look = async ({ create: make, call: ask, become, opts, args, emit }) => {
  if (args.uid) become(args.uid);
  const service = make(opts);
  const start = await ask(service, 'start');
  emit(start.err ? `${start.err.code} ${start.err.message}` : null);
  if (!start.err) {
    const { err, value } = await ask(service, 'getMembersBySid', 'n', 's1');
    emit(err ? `${err.code} ${err.message}` : value);
    const { err: failed } = await ask(service, 'add', 'other', 'u', 's1');
    emit(failed && `${failed.code} ${failed.message}`);
  }
  await ask(service, 'stop', true);
};

async function filled(orderly) {
  const store = place();
  const { code, signal, output } = await store.start(fill, { orderly }).closed;
  assert.deepStrictEqual([code, signal], orderly ? [0, null] : [null, 'SIGKILL'], output);
  return store;
}

/** The store does not start: these words say why. */
async function refused(store, words) {
  await logged(async () => {
    const service = create(store.options());
    const { err } = await call(service, 'start');
    assert.strictEqual(err && err.code, STORE);
    assert.match(err.message, new RegExp(words));
    await call(service, 'stop', true);
  });
}

async function refusedTo(uid, store) {
  const { messages } = await store.run(look, { uid });
  assert.strictEqual(messages.length, 1, 'it starts');
  assert.match(messages[0], new RegExp(`^${STORE} cannot .*ermission denied`));
}

async function holds(store, members) {
  const service = await started(store);
  const { length } = await ok(service, 'getMembersBySid', 'n', 's1');
  await call(service, 'stop', true);
  assert.strictEqual(length, members);
}

describe('folders', () => {
  clearing();

  fault(
    'not permitted: the folder above, the folder itself, its files',
    async () => {
      const store = place();
      await refusedTo(NOBODY, store);
      await store.run(fill, { orderly: true });
      fs.chmodSync(store.path, 0o700);
      fs.chmodSync(`${store.path}/..`, 0o755);
      await refusedTo(NOBODY, store);
      fs.chmodSync(store.path, 0o777);
      await refusedTo(NOBODY, store);
      assert.strictEqual((await store.audit()).members, 5000);
    },
    { skip: needsRoot },
  );

  fault('a file instead of the folder', async () => {
    const store = place();
    fs.writeFileSync(store.path, 'x');
    await refused(store, 'cannot make the folder');
    assert.strictEqual(fs.readFileSync(store.path, 'utf8'), 'x');
  });

  fault(
    'a file system that is read-only',
    async () => {
      const disk = mounts.small(4 << 10);
      const store = place(disk);
      await store.run(fill, { orderly: true });
      mounts.readOnly(disk);
      await refused(store, 'cannot .*[Rr]ead-only');
    },
    { skip: needsRoot },
  );

  fault(
    'removed while it is open: this is logged, and a new and empty store replaces it',
    async () => {
      const store = place();
      let members;
      const lines = await logged(async () => {
        const service = await started(store);
        await ok(service, 'add', 'n', 'u', 's1');
        fs.rmSync(store.path, { recursive: true });
        const gone = async () => (await ok(service, 'getMembersBySid', 'n', 's1')).length === 0;
        await until(gone, 'an empty store');
        await ok(service, 'add', 'n', 'v', 's1');
        const other = await started(store);
        members = await ok(other, 'getMembersBySid', 'n', 's1');
        await call(service, 'stop', true);
        await call(other, 'stop', true);
      });
      assert.deepStrictEqual(members, ['v']);
      assert.ok(
        lines.some((line) => line.includes('its files were taken away')),
        lines.join('\n'),
      );
      assert.ok(lines.length < 10, lines.join('\n'));
      assert.strictEqual((await store.audit()).members, 1);
    },
  );

  /** What happens to the bytes of a file. */
  const DAMAGE = {
    'a bit flipped': (bytes) => {
      bytes[Math.floor(bytes.length / 2)] ^= 1;
      return bytes;
    },
    halved: (bytes) => bytes.subarray(0, bytes.length / 2),
    emptied: () => Buffer.alloc(0),
    overwritten: (bytes) => Buffer.alloc(bytes.length, 7),
  };

  for (const [name, damage] of Object.entries(DAMAGE)) {
    fault(`data.mdb ${name} after an orderly end: refused, and nothing is changed`, async () => {
      const store = await filled(true);
      const good = fs.readFileSync(store.file('data.mdb'));
      const damaged = damage(Buffer.from(good));
      fs.writeFileSync(store.file('data.mdb'), damaged);
      await refused(store, 'is damaged: data.mdb');
      assert.ok(fs.readFileSync(store.file('data.mdb')).equals(damaged));
      fs.writeFileSync(store.file('data.mdb'), good);
      await holds(store, 5000);
    });
  }

  for (const name of ['emptied', 'overwritten']) {
    fault(
      `data.mdb ${name} after kill -9: an error that says so, no end of the process`,
      async () => {
        const store = await filled(false);
        fs.writeFileSync(
          store.file('data.mdb'),
          DAMAGE[name](fs.readFileSync(store.file('data.mdb'))),
        );
        const { messages } = await store.run(look);
        const words = messages.find((message) => typeof message === 'string') || '';
        assert.match(
          words,
          /^ERR_GLOBAL_CHANNEL_STORE .*damaged/,
          JSON.stringify(messages).slice(0, 200),
        );
      },
    );
  }

  fault('store.json damaged: refused; missing: not taken for a store', async () => {
    const store = await filled(true);
    const good = fs.readFileSync(store.file('store.json'));
    for (const bad of ['', '{', '[]', '{"format":1}', good.subarray(0, good.length - 5)]) {
      fs.writeFileSync(store.file('store.json'), bad);
      await refused(store, 'store.json is damaged');
    }
    fs.rmSync(store.file('store.json'));
    await refused(store, 'not of this package');
    fs.writeFileSync(store.file('store.json'), good);
    await holds(store, 5000);
  });

  for (const orderly of [true, false]) {
    const how = orderly ? 'an orderly end' : 'kill -9';
    fault(`lock.mdb damaged or gone after ${how}: it is created, nothing is lost`, async () => {
      const store = await filled(orderly);
      for (const damage of [...Object.values(DAMAGE), undefined]) {
        const file = store.file('lock.mdb');
        if (damage) fs.writeFileSync(file, damage(fs.readFileSync(file)));
        else fs.rmSync(file);
        await holds(store, 5000);
      }
      await store.audit();
    });
  }

  fault('a power cut: the store begins empty and says so; synced commits stay', async () => {
    const store = await filled(false);
    store.rewrite((state) => (state.open.boot = 'another'));
    const lines = await logged(async () => {
      const service = await started(store);
      assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), []);
      await call(service, 'stop', true);
    });
    assert.ok(
      lines.some((line) => line.includes('the system went down')),
      lines.join('\n'),
    );
    assert.ok(fs.existsSync(store.file('data.mdb.aside')));

    const synced = place();
    const { closed } = synced.start(fill, { more: { durability: 'os' } });
    await closed;
    assert.ok(synced.state().synced, 'no start of the system is noted, as it does not matter');
    const service = create({ ...synced.options(), durability: 'os' });
    await ok(service, 'start');
    assert.strictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).length, 5000);
  });
});
