'use strict';

/**
 * Options of the embedded store: which it accepts, which it refuses, and the meaning of `path`. Those of Redis are in
 * b-options.test.js and b-invalid.test.js.
 */

const assert = require('node:assert');
const { describe, before, after, afterEach } = require('node:test');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { createApp } = require('../support/app');
const { call } = require('../support/call');
const child = require('../support/child');
const { logged } = require('../support/log');
const { create, stopAll } = require('../support/service');
const { ours } = require('../support/rows');
const { removeFolder } = require('../support/remove');

const CODE = 'ERR_GLOBAL_CHANNEL_INVALID_OPTION';

/** Made, not started: no folder is touched. */
const make = (opts, app) => create({ store: 'embedded', path: 'data/channels', ...opts }, app);

const refused = (opts, message) => assert.throws(() => make(opts), { code: CODE, message });

describe('B the embedded store', () => {
  let dir;
  before(() => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'embedded-'));
  });
  afterEach(stopAll);
  after(() => removeFolder(dir));

  ours('B a path and store: "embedded" are enough; manager shows prefix and folder', () => {
    const { manager } = make({ path: '/srv/channels' });
    assert.deepStrictEqual(
      { ...manager },
      { prefix: 'POMELO:CHANNEL', path: path.resolve('/srv/channels') },
    );
    assert.ok(Object.isFrozen(manager));
  });

  ours(
    'B a relative path begins at the folder of the app, wherever the process was started',
    () => {
      const app = Object.assign(createApp(), { getBase: () => path.resolve('/srv/game') });
      const folder = path.resolve('/srv/game/data/channels');
      assert.strictEqual(make({}, app).manager.path, folder);
      assert.strictEqual(make({ path: folder }, app).manager.path, folder);
    },
  );

  ours('B without getBase a relative path is relative to the current directory', () => {
    const bases = [createApp(), Object.assign(createApp(), { getBase: () => undefined })];
    for (const app of bases) {
      assert.strictEqual(make({}, app).manager.path, path.resolve('data/channels'));
    }
  });

  ours('B a relative path is resolved when the service is created, not when it is used', () => {
    const before = process.cwd();
    const service = make({});
    process.chdir(os.tmpdir());
    try {
      assert.strictEqual(service.manager.path, path.join(before, 'data/channels'));
    } finally {
      process.chdir(before);
    }
  });

  ours(
    'B processes started in different folders, with one relative path, have one store',
    async () => {
      const addAndRead = async ({ args, create, createApp, ok, opts, emit }) => {
        process.chdir(args.cwd);
        const app = Object.assign(createApp(), { getBase: () => args.base });
        const service = create(opts, app);
        await ok(service, 'start');
        await ok(service, 'add', 'n', args.uid, 's1');
        emit((await ok(service, 'getMembersBySid', 'n', 's1')).sort());
        await ok(service, 'stop', true);
      };
      const store = { options: () => ({ store: 'embedded', path: 'data/channels' }) };
      const found = [];
      for (const [cwd, uid] of Object.entries({ [os.tmpdir()]: 'a', [dir]: 'b' })) {
        const args = { base: path.join(dir, 'app'), cwd, uid };
        const { messages, output } = await child.run(addAndRead, { store, args });
        assert.strictEqual(output, '');
        found.push(...messages);
      }
      assert.deepStrictEqual(found, [['a'], ['a', 'b']]);
    },
  );

  ours(
    'B a folder that cannot be: start says so at once, and so does the log, as [embedded]',
    async () => {
      const file = path.join(dir, 'a file');
      fs.writeFileSync(file, '');
      const service = make({ path: file });
      const lines = await logged(async () => {
        const { err, argc } = await call(service, 'start');
        assert.deepStrictEqual([err.code, argc], ['ERR_GLOBAL_CHANNEL_STORE', 1]);
        assert.ok(err.message.includes(file), err.message);
      });
      assert.strictEqual(lines.length, 1);
      assert.ok(lines[0].startsWith('[globalchannel-plugin][embedded] '), lines[0]);
      assert.ok(lines[0].includes(file), lines[0]);
      assert.strictEqual(service.state, 0);
    },
  );

  ours('B ~ is not expanded: it is the name of a folder', () => {
    assert.strictEqual(make({ path: '~/channels' }).manager.path, path.resolve('~/channels'));
  });

  for (const absent of [undefined, null, '']) {
    ours(`B path is required; ${JSON.stringify(absent)} counts as missing`, () => {
      refused({ path: absent }, /^option path is absent; accepted is the path of a folder/);
    });
  }

  ours('B a URL as path is refused and not shown, because it may hold a password', () => {
    for (const url of ['file:///srv/channels', 'redis://:hush@127.0.0.1', 'unix:///x.sock']) {
      refused(
        { path: url },
        /^option path is a URL \(not shown\); accepted is the path of a folder/,
      );
    }
    refused({ path: 'a\0b' }, /^option path is "a\\0b"; accepted is the path of a folder/);
    refused({ path: 5 }, /^option path is 5; accepted is the path of a folder/);
  });

  for (const option of ['host', 'port', 'url', 'db', 'username', 'password', 'auth_pass']) {
    ours(`B ${option} is for Redis: refused, both options named, the value not shown`, () => {
      const words = `option ${option} is for store 'redis', and option store is 'embedded'`;
      refused({ [option]: 'hush' }, words);
      // Whatever the value would mean for Redis.
      refused({ [option]: 0 }, words);
    });
  }

  ours('B durability is for the embedded store', () => {
    const words = "option durability is for store 'embedded', and option store is 'redis'";
    for (const store of [undefined, null, 'redis']) {
      assert.throws(() => create({ store, durability: 'os' }), { code: CODE, message: words });
    }
    refused({ durability: 'disk' }, `option durability is "disk"; accepted is 'process' or 'os'`);
    refused({ durability: true }, `option durability is true; accepted is 'process' or 'os'`);
  });

  ours('B localFileSystem is for the embedded store', () => {
    make({ localFileSystem: true });
    const words = "option localFileSystem is for store 'embedded', and option store is 'redis'";
    for (const store of [undefined, null, 'redis']) {
      assert.throws(() => create({ store, localFileSystem: true }), { code: CODE, message: words });
    }
    for (const [value, shown] of [
      ['yes', '"yes"'],
      [1, '1'],
    ]) {
      const message = `option localFileSystem is ${shown}; accepted is true or false`;
      refused({ localFileSystem: value }, message);
    }
  });

  ours('B an unknown store is refused, and the error names the known ones', () => {
    refused({ store: 'lmdb' }, `option store is "lmdb"; accepted is 'redis' or 'embedded'`);
    refused({ store: {} }, "option store is {…}; accepted is 'redis' or 'embedded'");
  });

  ours('B all other options mean the same: nulls, times, bounds, names of node_redis', () => {
    const nulls = ['host', 'port', 'url', 'db', 'username', 'password', 'auth_pass', 'durability'];
    for (const opts of [
      Object.fromEntries([...nulls, 'localFileSystem'].map((name) => [name, null])),
      { localFileSystem: false },
      { durability: 'process', connectTimeout: 0, commandTimeout: '10', startTimeout: 1 },
      { durability: 'os', pushTimeout: 5, maxQueue: '10', cache: { maxBytes: 1 }, prefix: 'ü' },
      { cleanOnStartUp: true, rpcNoDelay: false, enable_offline_queue: false },
      { max_attempts: 2, retry_max_delay: 100, connect_timeout: 1000, no_ready_check: true },
    ]) {
      make(opts);
    }
  });

  ours('B a prefix has to leave room for names in a key of 511 bytes', () => {
    make({ prefix: 'x'.repeat(509) });
    refused({ prefix: 'x'.repeat(510) }, /^option prefix has 510 bytes; accepted are at most 509,/);
    refused({ prefix: 'ä'.repeat(255) }, /^option prefix has 510 bytes; accepted are at most 509,/);
    create({ prefix: 'x'.repeat(1000) });
  });

  ours(
    'B a channelManager replaces the embedded store, with names and uids of any length',
    async () => {
      const seen = [];
      const add = (name, uid, sid, cb) => {
        seen.push([name, uid, sid]);
        process.nextTick(cb, null);
      };
      const manager = { add };
      const service = make({ channelManager: () => manager });
      assert.strictEqual(service.manager, manager);
      await call(service, 'start');
      const long = 'x'.repeat(1000);
      assert.strictEqual((await call(service, 'add', long, long, 's1')).err, null);
      assert.deepStrictEqual(seen, [[long, long, 's1']]);
    },
  );

  ours('B a channelManager factory that returns nothing selects the embedded store', () => {
    assert.ok(make({ channelManager: () => undefined }).manager.path.endsWith('channels'));
  });
});
