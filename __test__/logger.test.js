'use strict';

/** Option `logger`: the lines that would go to the framework's logger or the console go there, each once, as one line. */

const assert = require('node:assert');
const { createApp } = require('./support/app');
const { logged } = require('./support/log');
const { freePort } = require('./support/ports');
const { create, plugin, refusal, started } = require('./support/service');
const { stores, ours } = require('./support/rows');

const LEVELS = ['debug', 'info', 'warn', 'error'];

function createLogger(lines) {
  return Object.fromEntries(LEVELS.map((level) => [level, (line) => lines.push([level, line])]));
}

stores('option logger', (ctx) => {
  ours('has the lines, and the console has none', async () => {
    const lines = [];
    const shown = await logged(async () => {
      await started(ctx.store, { logger: createLogger(lines), notAnOption: 1 });
    });
    assert.deepStrictEqual(shown, []);
    const [[level, line]] = lines;
    assert.strictEqual(level, 'warn');
    assert.match(line, /^\[globalchannel-plugin\].*notAnOption/);
  });

  ours(
    'has those of the app, too: of the fan-out, of the scrape point, of a second app.use',
    async () => {
      const lines = [];
      const app = createApp();
      app.registerAdmin = (id, module) => (app.module = module);
      app.set('sessionService', {
        sendMessage() {
          throw new Error('it is gone');
        },
      });
      const { FanOutPushScheduler, registerAdmin } = plugin();
      const scheduler = new FanOutPushScheduler(app);
      const shown = await logged(async () => {
        create({ ...ctx.store.options(), logger: createLogger(lines) }, app);
        scheduler.schedule(1, 'onChat', Buffer.from('x'), ['no session'], {});
        registerAdmin(app, { metrics: { port: await freePort() } });
        await new Promise((done) => app.module.start(done));
        create(ctx.store.options(), app);
      });
      assert.deepStrictEqual(shown, []);
      assert.deepStrictEqual(
        lines.map(([level]) => level),
        ['error', 'info', 'warn'],
      );
      const [[, sent], [, metrics], [, twice]] = lines;
      assert.match(sent, /the message to session no session could not be sent: .*it is gone/);
      assert.match(metrics, /metrics: http:/);
      assert.match(twice, /app\.use was called twice/);
    },
  );

  ours('is that of its service only: another one of the app has the console', async () => {
    const lines = [];
    const app = createApp();
    create({ logger: createLogger(lines) }, app);
    app.set('globalChannelService', undefined);
    const shown = await logged(async () => {
      create({ notAnOption: 1 }, app);
    });
    assert.deepStrictEqual(lines, []);
    assert.strictEqual(shown.length, 1);
  });

  ours('its methods may be async, and fail', async () => {
    const fails = async () => {
      throw new Error('the log is full');
    };
    create({ logger: Object.fromEntries(LEVELS.map((level) => [level, fails])), notAnOption: 1 });
    // An unhandled rejection would fail this test.
    await new Promise(setImmediate);
  });

  ours('its methods are called on it, and what they throw is ignored', () => {
    class Mine {
      lines = 0;
      write() {
        this.lines += 1;
        throw new Error('the disk is full');
      }
    }
    for (const level of LEVELS) Mine.prototype[level] = Mine.prototype.write;
    const logger = new Mine();
    create({ ...ctx.store.options(), logger, notAnOption: 1 });
    assert.strictEqual(logger.lines, 1);
  });

  ours('without a method it is refused by name; false and null mean none', () => {
    for (const logger of [{}, { ...createLogger([]), warn: 1 }, 'console', 1, true, () => {}]) {
      const err = refusal({ ...ctx.store.options(), logger });
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_INVALID_OPTION');
      assert.match(err.message, /option logger.*warn/);
    }
    for (const logger of [undefined, null, false]) {
      assert.strictEqual(refusal({ ...ctx.store.options(), logger }), undefined);
    }
  });
});
