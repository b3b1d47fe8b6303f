'use strict';

/**
 * One store with several users at a time: services of one process, threads, processes, prefixes. What was acknowledged to one of
 * them, all others see at their next read. (The same under load is in linearizability/; the end of threads is in
 * workers.test.js.)
 */

const assert = require('node:assert');
const fs = require('fs');
const path = require('path');
const { Worker } = require('worker_threads');
const child = require('./support/child');
const { call, ok } = require('./support/call');
const { started } = require('./support/service');
const { stores, same, ours } = require('./support/rows');
const { until } = require('./support/until');

const KEY = 'POMELO:CHANNEL:n:s1';
const read = (service, name = 'n') => ok(service, 'getMembersBySid', name, 's1');

stores('sharing a store', (ctx) => {
  same('two services of one process: each sees at once what the other wrote', async () => {
    const [a, b] = [await started(ctx.store), await started(ctx.store)];
    for (let i = 0; i < 50; i += 1) {
      const [writer, reader] = i % 2 ? [a, b] : [b, a];
      // Twice, so that a list in memory is read as well.
      for (const members of [await read(reader), await read(reader)]) {
        assert.strictEqual(members.length, i);
      }
      await ok(writer, 'add', 'n', i, 's1');
      assert.ok((await read(reader)).includes(String(i)));
    }
    await ok(a, 'destroyChannel', 'n');
    assert.deepStrictEqual(await read(b), []);
  });

  same('one of two services stops: the other works on, and nothing is lost', async () => {
    const [a, b] = [await started(ctx.store), await started(ctx.store)];
    await ok(a, 'add', 'n', 'a', 's1');
    await call(a, 'stop', true);
    await ok(b, 'add', 'n', 'b', 's1');
    assert.deepStrictEqual((await read(b)).sort(), ['a', 'b']);
    await call(b, 'stop', true);
    await ctx.store.untilUsers(0);
    assert.deepStrictEqual((await read(await started(ctx.store))).sort(), ['a', 'b']);
  });

  same('members come in the same order for all services', async () => {
    const [a, b] = [await started(ctx.store), await started(ctx.store)];
    for (let i = 0; i < 100; i += 1) a.add('n', `${(i * 37) % 100}-🎮`, 's1');
    const order = await read(a);
    assert.strictEqual(order.length, 100);
    assert.deepStrictEqual(await read(b), order);
    assert.deepStrictEqual(await read(a), order);
  });

  same('two prefixes in one store: the same names are other channels', async () => {
    const a = await started(ctx.store);
    const b = await started(ctx.store, { prefix: 'B' });
    await ok(a, 'add', 'n', 'ua', 's1');
    await ok(b, 'add', 'n', ['ub', 'ua'], 's1');
    await ok(b, 'leave', 'n', 'ua', 's1');
    assert.deepStrictEqual(await ctx.store.dump(), { 'B:n:s1': ['ub'], [KEY]: ['ua'] });
    await ok(a, 'destroyChannel', 'n');
    assert.deepStrictEqual([await read(a), await read(b)], [[], ['ub']]);
  });

  ours('clean, while another prefix and another reader of this one are at work', async () => {
    const a = await started(ctx.store);
    const twin = await started(ctx.store);
    const b = await started(ctx.store, { prefix: 'POMELO' });
    for (const service of [a, b]) await ok(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual(await read(twin), ['u']);
    await ok(a, 'clean');
    assert.deepStrictEqual([await read(twin), await read(b)], [[], ['u']]);
    // POMELO:CHANNEL:… begins with POMELO: as well.
    await ok(twin, 'add', 'n', 'u', 's1');
    await started(ctx.store, { prefix: 'POMELO', cleanOnStartUp: true });
    assert.deepStrictEqual([await read(twin), await read(b)], [[], []]);
  });

  same('threads: all see what each has written', async () => {
    const mine = await started(ctx.store);
    const threads = [1, 2, 3].map(
      (n) =>
        new Worker(
          `const { parentPort, workerData } = require('worker_threads');
          const { call, ok } = require(${JSON.stringify(require.resolve('./support/call'))});
          const { started } = require(${JSON.stringify(require.resolve('./support/service'))});
          (async () => {
            const service = await started({ options: () => workerData });
            for (let i = 0; i < 200; i += 1) service.add('n', '${n}-' + i, 's1');
            const own = (await ok(service, 'getMembersBySid', 'n', 's1')).filter(
              (uid) => uid.startsWith('${n}-'),
            );
            await call(service, 'stop', true);
            parentPort.postMessage(own.length);
          })();`,
          { eval: true, workerData: ctx.store.options() },
        ),
    );
    const said = threads.map((thread) => new Promise((resolve) => thread.once('message', resolve)));
    for (const own of said) assert.strictEqual(await own, 200);
    assert.strictEqual((await read(mine)).length, 600);
  });

  same('processes: each sees at its next read what the other wrote', async () => {
    const mine = await started(ctx.store);
    // Waits for `i` on its stdin, where it must then find `i`, and adds `i` of its own.
    const body = async ({ started, ok, call, emit }) => {
      const service = await started();
      const members = () => ok(service, 'getMembersBySid', 'n', 's1');
      await members();
      emit('started');
      for await (const line of require('readline').createInterface({ input: process.stdin })) {
        const seen = (await members()).includes(`parent ${line}`);
        await ok(service, 'leave', 'n', `parent ${line}`, 's1');
        await ok(service, 'add', 'n', `child ${line}`, 's1');
        emit(seen ? `answer ${line}` : `no parent ${line}`);
      }
      await call(service, 'stop', true);
    };
    const other = child.start(body, { store: ctx.store });
    await other.message('started');
    for (let i = 0; i < 50; i += 1) {
      await read(mine);
      await ok(mine, 'add', 'n', `parent ${i}`, 's1');
      other.child.stdin.write(`${i}\n`);
      await until(() => other.messages.length === i + 2, `answer ${i}`);
      assert.strictEqual(other.messages[i + 1], `answer ${i}`);
      const members = await read(mine);
      assert.ok(members.includes(`child ${i}`) && !members.includes(`parent ${i}`), `round ${i}`);
    }
    other.child.stdin.end();
    await other.closed;
    assert.deepStrictEqual([other.code, other.signal], [0, null], other.output);
  });

  same('what a process has written is there after its end', async () => {
    const body = async ({ started, ok, call }) => {
      const service = await started();
      await ok(service, 'add', 'n', ['a', 'b'], 's1');
      await call(service, 'stop', true);
    };
    for (let i = 0; i < 2; i += 1) {
      const { code, output } = await child.run(body, { store: ctx.store });
      assert.strictEqual(code, 0, output);
    }
    assert.deepStrictEqual(await ctx.store.dump(), { [KEY]: ['a', 'b'] });
  });

  ours.embedded('spellings of one folder are one store, opened once', async () => {
    const { path: folder } = ctx.store.options();
    const first = await started(ctx.store);
    const link = `${folder}-link`;
    fs.symlinkSync(folder, link);
    const spellings = [
      link,
      path.join(link, '.'),
      `${path.dirname(folder)}/./${path.basename(folder)}/`,
      path.relative(process.cwd(), folder),
    ];
    for (const [i, spelling] of spellings.entries()) {
      const service = await started(ctx.store, { path: spelling });
      await ok(service, 'add', 'n', i, 's1');
      assert.strictEqual((await read(first)).length, i + 1);
      assert.strictEqual(await ctx.store.users(), 1);
    }
  });
});
