'use strict';

/**
 * Contract rows E14–E16 and E18, and the log part of E01: what a process prints while the store is down, and that it ends
 * quietly after stop. Each case is a child process.
 */

const assert = require('node:assert');
const child = require('../support/child');
const { freePort } = require('../support/redis');
const { until } = require('../support/until');
const { area, same, ours } = require('../support/rows');

const TAG = '[globalchannel-plugin][redis]';
const tagged = (output) => output.split('\n').filter((line) => line.includes(TAG));

area('E processes', {}, (ctx) => {
  /** Starts a service, says so, and goes on with stop when the test closes its stdin. */
  const stopWhenDown = async ({ started, invoke, args, emit, opts }) => {
    process.on('uncaughtException', (err) => emit(['uncaught', String(err)]));
    process.on('unhandledRejection', (err) => emit(['unhandled', String(err)]));
    const service = await started(opts);
    process.stdin.once('end', async () => {
      if (args.waiting) service.add('n', 'u', 's1', (err) => emit(['add', err && err.code]));
      console.log('STOPPING');
      const record = invoke(service, 'stop', true);
      await record.done;
      setTimeout(() => emit(['stop called back', record.n]), 100);
      // As long as the row watches for what 0.0.7 throws after stop.
      if (args.linger) setTimeout(() => {}, args.linger);
    });
    process.stdin.resume();
    emit('started');
  };

  async function runStopped(args) {
    const result = child.start(stopWhenDown, { store: ctx.store, args });
    await result.message('started');
    await ctx.redis.kill();
    const lost = (line) => !line.includes('the member cache is');
    await until(() => tagged(result.output).some(lost), 'the child to notice');
    result.child.stdin.end();
    const timer = setTimeout(() => result.child.kill('SIGKILL'), 10000);
    await result.closed;
    clearTimeout(timer);
    return result;
  }

  same(
    'E14 stop while the store is down: one callback, then the process ends by itself',
    async () => {
      const { code, signal, messages, output } = await runStopped({});
      // 0.0.7 throws afterwards, too (E15).
      const own = messages.filter(([kind]) => kind !== 'uncaught');
      assert.deepStrictEqual([code, signal], [0, null], output);
      assert.deepStrictEqual(own, ['started', ['stop called back', 1]]);
    },
  );

  ours('E15 stop while the store is down: quiet for the next 2 s', async () => {
    const { code, messages, output } = await runStopped({ linger: 2000 });
    assert.deepStrictEqual([code, messages], [0, ['started', ['stop called back', 1]]], output);
    assert.deepStrictEqual(tagged(output.split('STOPPING')[1]), []);
  });

  ours('E15 an operation that waits is answered with STOPPED', async () => {
    const { code, messages, output } = await runStopped({ waiting: true });
    assert.strictEqual(code, 0, output);
    assert.deepStrictEqual(messages, [
      'started',
      ['add', 'ERR_GLOBAL_CHANNEL_STOPPED'],
      ['stop called back', 1],
    ]);
  });

  ours('E16 stop before the store ever answered: quiet, ends by itself', async () => {
    const body = async ({ create, invoke, call, emit, opts, pause }) => {
      process.on('uncaughtException', (err) => emit(['uncaught', String(err)]));
      process.on('unhandledRejection', (err) => emit(['unhandled', String(err)]));
      const service = create(opts);
      const start = invoke(service, 'start');
      // A few attempts, so that stop meets one that waits for its next.
      await pause(300);
      await call(service, 'stop', true);
      console.log('STOPPED');
      emit([(await start.done).err.code, start.n]);
      setTimeout(() => {}, 2000);
    };
    const { code, messages, output } = await child.run(body, { store: { port: await freePort() } });
    assert.deepStrictEqual([code, messages], [0, [['ERR_GLOBAL_CHANNEL_STOPPED', 1]]], output);
    assert.deepStrictEqual(tagged(output.split('STOPPED')[1]), []);
  });

  ours('E01 the store is down at start: a tagged log line per attempt', async () => {
    const body = async ({ create, call, emit, opts }) => {
      const service = create({ ...opts, startTimeout: 1000, retry_max_delay: 200 });
      emit((await call(service, 'start')).err.code);
    };
    const port = await freePort();
    const { code, messages, output } = await child.run(body, { store: { port } });
    assert.deepStrictEqual([code, messages], [0, ['ERR_GLOBAL_CHANNEL_UNREACHABLE']], output);
    const lines = tagged(output);
    assert.ok(lines.length >= 3 && lines.length <= 40, output);
    assert.ok(lines[0].includes(String(port)), lines[0]);
  });

  ours('E18 the store dies: some tagged lines, not one per command, no secret', async () => {
    const body = async ({ started, call, emit, opts }) => {
      const service = await started({
        url: `redis://127.0.0.1:${opts.port}`,
        host: null,
        port: null,
        commandTimeout: 1500,
      });
      process.stdin.once('end', async () => {
        const calls = [];
        for (let i = 0; i < 500; i += 1) calls.push(call(service, 'add', 'secret', 'uid-x', 's1'));
        emit((await Promise.all(calls)).filter(({ err }) => err).length);
        await call(service, 'stop', true);
      });
      process.stdin.resume();
      emit('started');
    };
    const result = child.start(body, { store: ctx.store });
    await result.message('started');
    await ctx.redis.kill();
    result.child.stdin.end();
    const timer = setTimeout(() => result.child.kill('SIGKILL'), 15000);
    await result.closed;
    clearTimeout(timer);
    assert.deepStrictEqual([result.code, result.messages], [0, ['started', 500]], result.output);
    const lines = tagged(result.output);
    assert.ok(lines.length > 0 && lines.length < 40, `${lines.length} lines`);
    assert.ok(!/secret|uid-x/.test(result.output), result.output);
  });
});
