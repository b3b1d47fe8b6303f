'use strict';

/**
 * A panic in the addon never ends the process: it is an error with a code, and every callback is called once. Each place that
 * can panic (a method, functions that the runtime or lib/ calls, the driver, the embedded store) panics on purpose here, in
 * the test build of the addon. The reader of redis-rs is in cache/panic.test.js.
 */

const assert = require('node:assert');
const path = require('path');
const child = require('../support/child');
const { stores, ours } = require('../support/rows');

const PRELOAD = path.join(__dirname, '../cache/use-broken.js');
const INTERNAL = 'ERR_GLOBAL_CHANNEL_INTERNAL';

/** `body` in a process in which the addon panics at the n-th passage of `place`. */
async function panicking(place, store, body) {
  const env = { GLOBALCHANNEL_TEST_BUILD: '1', GLOBALCHANNEL_PANIC: place };
  const options = { store, env, nodeArgs: ['-r', PRELOAD], deadline: 25000 };
  const { code, signal, messages, output } = await child.run(body, options);
  assert.deepStrictEqual([code, signal], [0, null], output);
  assert.match(output, /panics at .* on purpose/);
  return messages;
}

stores('Panics in a method', (ctx) => {
  ours('before the call was accepted: that call throws, and the service works on', async () => {
    // The second key is half written when it panics: the third call must not begin with it.
    const body = async ({ started, invoke, call, ok, emit }) => {
      const service = await started();
      const first = invoke(service, 'add', 'n', 'before', 's1');
      let thrown;
      try {
        service.add('half written', 'never', 's1', () => emit('called'));
      } catch (err) {
        thrown = [err.code, err instanceof Error, err.message];
      }
      await ok(service, 'add', 'n', 'after', 's1');
      await first.done;
      emit([thrown, (await ok(service, 'getMembersBySid', 'n', 's1')).sort()]);
      emit((await call(service, 'stop', true)).n);
    };
    const words = 'internal error: panics at packing on purpose';
    assert.deepStrictEqual(await panicking('packing:2', ctx.store, body), [
      [
        [INTERNAL, true, words],
        ['after', 'before'],
      ],
      1,
    ]);
    const keys = (await ctx.store.keys()).filter((key) => key.startsWith('POMELO:CHANNEL:'));
    assert.deepStrictEqual(keys, ['POMELO:CHANNEL:n:s1']);
  });

  for (const [place, method] of [
    ['constructor:2', 'constructor'],
    ['stats:1', 'stats'],
  ]) {
    ours(`${method}: it throws an error with a code, and the next one does not`, async () => {
      const body = async ({ started, create, opts, ok, call, emit }) => {
        const service = await started();
        const codes = [];
        for (let i = 0; i < 2; i += 1) {
          try {
            if (process.env.GLOBALCHANNEL_PANIC.startsWith('stats')) service.stats();
            else create(opts);
            codes.push(null);
          } catch (err) {
            codes.push(err.code);
          }
        }
        emit(codes);
        await ok(service, 'add', 'n', 'u', 's1');
        await call(service, 'stop', true);
      };
      assert.deepStrictEqual(await panicking(place, ctx.store, body), [[INTERNAL, null]]);
    });
  }
});

stores('Panics that end a service', (ctx) => {
  // Where it happens, and at which passage: with calls under way.
  for (const place of ['taken:20', 'flush:2', 'wake:30', 'tape:15', 'driver:1']) {
    ours(
      `${place}: every call is answered once, later ones too, and a new service works`,
      async () => {
        const body = async ({ started, create, opts, call, ok, until, emit }) => {
          const uncaught = [];
          process.on('uncaughtException', (err) => uncaught.push(err.code));
          process.on('unhandledRejection', (err) => uncaught.push(err.code));
          const service = await started();
          const answers = [];
          let thrown = 0;
          const count = 40;
          for (let i = 0; i < count; i += 1) {
            answers[i] = [];
            const cb = (err, value) => answers[i].push(err ? err.code : [i, value].flat());
            try {
              if (i % 2) service.add('n', `u${i}`, 's1', cb);
              else service.getMembersBySid(`none ${i}`, 's1', cb);
            } catch (err) {
              answers[i].push(err.code);
              thrown += 1;
            }
            if (i % 8 === 7) await new Promise(setImmediate);
          }
          await until(() => answers.every((each) => each.length > 0), 'all answers');
          const late = await call(service, 'add', 'n', 'late', 's1');
          const stop = await call(service, 'stop', true);
          await new Promise((resolve) => setTimeout(resolve, 50));
          // An answer of one call that was given to another one would show here.
          const wrong = answers.filter(
            ([first, ...more], i) =>
              more.length > 0 ||
              (Array.isArray(first) ? first[0] !== i || first.length > 2 : !/INTERNAL/.test(first)),
          );
          emit([wrong, late.err.code, late.n, stop.n, uncaught, thrown]);
          emit(answers.some(([first]) => Array.isArray(first)) || 'all failed');
          const other = create(opts);
          await call(other, 'start');
          await ok(other, 'add', 'n', 'other', 's1');
          emit((await ok(other, 'getMembersBySid', 'n', 's1')).includes('other'));
          await call(other, 'stop', true);
        };
        const [what, , works] = await panicking(place, ctx.store, body);
        assert.deepStrictEqual(what, [[], INTERNAL, 1, 1, [], 0]);
        assert.strictEqual(works, true);
      },
    );
  }

  ours.embedded('the embedded store: a batch that panics', async () => {
    const body = async ({ started, create, opts, call, ok, emit }) => {
      const service = await started();
      emit((await call(service, 'add', 'n', 'u', 's1')).err.code);
      emit((await call(service, 'stop', true)).n);
      const other = create(opts);
      await call(other, 'start');
      await ok(other, 'add', 'n', 'v', 's1');
      emit(await ok(other, 'getMembersBySid', 'n', 's1'));
      await call(other, 'stop', true);
    };
    assert.deepStrictEqual(await panicking('embedded:1', ctx.store, body), [INTERNAL, 1, ['v']]);
  });
});
