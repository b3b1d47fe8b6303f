'use strict';

/**
 * Two builds of the addon on one folder: builds of the same format work together, those of different formats refuse each
 * other without damage; and a second copy in one process is refused.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const { place, fault, clearing, ADDON } = require('./place');

const STORE = 'ERR_GLOBAL_CHANNEL_STORE';
const LATER = { GLOBALCHANNEL_LATER_FORMAT: '1' };

/** Adds and reads until its input ends; then says whether all went well. */
const worker = async ({ started, ok, call, args, emit }) => {
  const service = await started();
  const ended = new Promise((resolve) => process.stdin.on('end', resolve).resume()).then(
    () => true,
  );
  const pause = () => new Promise((resolve) => setTimeout(resolve, 2));
  emit('there');
  let rounds = 0;
  while ((await Promise.race([ended, pause()])) !== true) {
    await ok(service, 'add', 'n', `${args.uid}-${rounds}`, 's1');
    const there = await ok(service, 'getMembersBySid', 'n', 's1');
    if (!there.includes(`${args.uid}-${rounds}`)) throw new Error(`${rounds} is missing`);
    rounds += 1;
  }
  emit({ rounds, there: await ok(service, 'getMembersBySid', 'n', 's1') });
  await call(service, 'stop', true);
};

const opening = async ({ create, call, opts, emit }) => {
  const service = create(opts);
  const { err, n } = await call(service, 'start');
  emit({ n, code: err && err.code, message: err && err.message });
  await call(service, 'stop', true);
};

async function end(run) {
  run.child.stdin.end();
  const { code, output, messages } = await run.closed;
  assert.strictEqual(code, 0, output);
  return messages[1];
}

describe('versions of the addon', () => {
  clearing();

  fault('two builds on one folder at the same time: each sees what the other writes', async () => {
    const store = place();
    const one = store.start(worker, { uid: 'one' });
    const other = store.start(worker, { uid: 'other' }, { otherBuild: true });
    await Promise.all([one.message('there'), other.message('there')]);
    const ended = await Promise.all([end(one), end(other)]);
    const { there } = ended.sort((a, b) => b.there.length - a.there.length)[0];
    assert.strictEqual(there.length, ended[0].rounds + ended[1].rounds);
    assert.strictEqual((await store.audit()).members, there.length);
  });

  for (const [title, first, second] of [
    ['a later format', {}, { otherBuild: true, env: LATER }],
    ['an earlier format', { otherBuild: true, env: LATER }, {}],
  ]) {
    fault(`${title} is refused with an error, and running processes are not affected`, async () => {
      const store = place();
      const run = store.start(worker, { uid: 'u' }, first);
      await run.message('there');
      for (let i = 0; i < 3; i += 1) {
        const { messages } = await store.run(opening, {}, second);
        const [{ n, code, message }] = messages;
        assert.deepStrictEqual([n, code], [1, STORE]);
        assert.match(message, /of another version .*its format is [12], known here is [12]$/);
      }
      const { rounds, there } = await end(run);
      assert.strictEqual(there.length, rounds);
      // Closed as well as open.
      const { messages } = await store.run(opening, {}, second);
      assert.strictEqual(messages[0].code, STORE);
      const again = await store.run(opening, {}, first);
      assert.strictEqual(again.messages[0].code, null);
    });
  }

  fault('two copies in one process: the second is refused, the first goes on', async () => {
    const store = place();
    const job = async ({ started, ok, call, create, opts, args, emit }) => {
      const service = await started();
      await ok(service, 'add', 'n', 'first', 's1');
      // The other build, with a copy of lib/ of its own.
      const path = require('path');
      const root = path.resolve(path.dirname(require.resolve(args.child)), '../..');
      const binding = require.resolve(path.join(root, 'binding.js'));
      const inPackage = (file) => file.startsWith(path.join(root, 'lib')) || file === binding;
      for (const file of Object.keys(require.cache)) {
        if (inPackage(file)) delete require.cache[file];
      }
      const Module = require('module');
      const copy = new Module(binding);
      copy.exports = require(args.addon);
      copy.loaded = true;
      require.cache[binding] = copy;
      for (let i = 0; i < 3; i += 1) {
        const { err } = await call(create(opts), 'start');
        emit(`${err.code} ${err.message}`);
        await ok(service, 'add', 'n', `u${i}`, 's1');
      }
      emit((await ok(service, 'getMembersBySid', 'n', 's1')).length);
      await call(service, 'stop', true);
      const second = create(opts);
      await ok(second, 'start');
      emit((await ok(second, 'getMembersBySid', 'n', 's1')).length);
      await call(second, 'stop', true);
    };
    const args = { addon: ADDON, child: require.resolve('../support/child') };
    const { messages } = await store.run(job, args);
    for (const words of messages.slice(0, 3)) {
      assert.match(
        words,
        /^ERR_GLOBAL_CHANNEL_STORE .*another copy of this package in this process/,
      );
    }
    assert.deepStrictEqual(messages.slice(3), [4, 4]);
    await store.audit();
  });
});
