'use strict';

/**
 * `app.use` of pomelo and pinus, their own functions: options that do not stand under the plugin's key. The defaults are
 * used, as by 0.0.7, and a line in the log says so.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const { createApp } = require('../support/app');
const { logged } = require('../support/log');
const { plugin, factory } = require('../support/service');
const { ours } = require('../support/rows');

require('reflect-metadata');
const { use, load } = require('pomelo/lib/application');
const { Application } = require('pinus/dist/lib/application');

/** An app that has the framework's own `use`. */
const FRAMEWORKS = {
  pomelo: {
    app: () => Object.assign(createApp(), { use, load, loaded: [], components: {} }),
    given: () => plugin(),
  },
  pinus: {
    app: () => {
      const { prototype } = Application;
      const own = { loaded: [], components: {}, usedPlugins: [] };
      return Object.assign(createApp(), own, { use: prototype.use, load: prototype.load });
    },
    given: () => plugin().createPinusPlugin(),
  },
};

/** The lines of the plugin that `app.use` with these options writes, and the service that it made. */
async function using(framework, opts) {
  const app = FRAMEWORKS[framework].app();
  const lines = await logged(() => app.use(FRAMEWORKS[framework].given(), opts));
  return {
    lines: lines.filter((line) => line.includes('[globalchannel-plugin]')),
    service: app.get('globalChannelService'),
  };
}

const DEFAULTS = 'the defaults are used, Redis at 127.0.0.1:6379';

for (const framework of Object.keys(FRAMEWORKS)) {
  describe(`A app.use of ${framework}`, () => {
    ours('options under other keys: one line names the keys, not the values', async () => {
      const { lines, service } = await using(framework, {
        GlobalChannel: { host: 'hush' },
        redis: { password: 'hush' },
      });
      assert.strictEqual(lines.length, 1, lines.join('\n'));
      assert.match(
        lines[0],
        /no options under the key globalChannel, but under GlobalChannel, redis: /,
      );
      assert.ok(lines[0].includes(DEFAULTS) && !lines[0].includes('hush'), lines[0]);
      assert.deepStrictEqual([service.opts, service.manager.db], [{}, 0]);
    });

    ours('options under no key: the line names what stands there', async () => {
      const { lines } = await using(framework, { host: '10.0.0.1', db: 3 });
      assert.strictEqual(lines.length, 1, lines.join('\n'));
      assert.match(lines[0], /but under host, db: /);
    });

    for (const opts of [undefined, {}]) {
      ours(`no options (${JSON.stringify(opts)}): the line says so`, async () => {
        const { lines } = await using(framework, opts);
        assert.strictEqual(lines.length, 1, lines.join('\n'));
        assert.match(lines[0], /under the key globalChannel, nor under any other: /);
      });
    }

    ours('many long keys: the line stays short', async () => {
      const keys = Array.from({ length: 1000 }, (_, i) => [`${i}-${'x'.repeat(1000)}`, {}]);
      const { lines } = await using(framework, Object.fromEntries(keys));
      assert.ok(lines.length === 1 && lines[0].length < 700, `${lines[0].length} characters`);
    });

    ours('options under the key, even if there are none: no line', async () => {
      for (const globalChannel of [{}, { db: 3 }]) {
        const { lines } = await using(framework, { globalChannel, other: {} });
        assert.deepStrictEqual(lines, []);
      }
    });
  });
}

describe('A the component without its framework', () => {
  ours('where app.use does not tell what it was given, the line names no keys', async () => {
    const app = Object.assign(createApp(), { use() {} });
    const lines = await logged(() => factory()(app, {}));
    assert.strictEqual(lines.length, 1);
    assert.match(lines[0], /no options under the key globalChannel: the defaults are used/);
  });

  ours('without an app.use there is nothing to say', async () => {
    assert.deepStrictEqual(await logged(() => factory()(createApp(), {})), []);
  });
});
