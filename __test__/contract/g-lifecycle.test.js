'use strict';

/**
 * Contract rows G06–G11: start, stop and clean of a service with a custom manager, whose own start, stop and clean may be
 * missing, fail, throw or never answer.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { invoke, call, ok } = require('../support/call');
const { create, stopAll } = require('../support/service');
const { recordingManager, startedWith } = require('../support/manager');
const { same, ours } = require('../support/rows');

const methods = ({ log }) => log.map(([method]) => method);

describe('G custom managers, life cycle', () => {
  afterEach(stopAll);

  same('G06 manager without start(): start succeeds', async () => {
    const manager = recordingManager();
    delete manager.start;
    const { err, n, sync } = await call(create({ channelManager: manager }), 'start');
    assert.deepStrictEqual([!err, n, sync], [true, 1, false]);
  });

  ours('G07 manager without start(): the service is started', async () => {
    const manager = recordingManager();
    delete manager.start;
    const service = await startedWith(manager);
    assert.strictEqual(service.state, 1);
    await ok(service, 'add', 'n', 'u', 's1');
  });

  same('G08 manager without stop(): stop calls back once', async () => {
    const manager = recordingManager();
    delete manager.stop;
    const service = await startedWith(manager);
    const { err, n } = await call(service, 'stop', true);
    assert.deepStrictEqual([!err, n, service.state], [true, 1, 2]);
  });

  same('G09 manager.start fails: its error, and the service is not started', async () => {
    const error = new Error('no');
    const service = create({ channelManager: { ...recordingManager(), start: (cb) => cb(error) } });
    assert.ok((await call(service, 'start')).err === error);
    assert.strictEqual(service.state, 0);
    assert.strictEqual(
      String((await call(service, 'add', 'n', 'u', 's1')).err),
      'Error: invalid state',
    );
  });

  ours('G10 manager.start fails and cleanOnStartUp: the error, clean does not run', async () => {
    const error = new Error('no');
    const manager = { ...recordingManager(), start: (cb) => setImmediate(cb, error) };
    const service = create({ channelManager: manager, cleanOnStartUp: true });
    assert.ok((await call(service, 'start')).err === error);
    assert.deepStrictEqual([service.state, methods(manager)], [0, []]);
  });

  same('G11 cleanOnStartUp calls manager.clean after start', async () => {
    const manager = recordingManager();
    const { err } = await call(create({ channelManager: manager, cleanOnStartUp: true }), 'start');
    assert.deepStrictEqual([!err, methods(manager)], [true, ['start', 'clean']]);
  });

  same('G11 an error of manager.clean is that of start', async () => {
    const error = new Error('cannot clean');
    const manager = { ...recordingManager(), clean: (cb) => cb(error) };
    const { err } = await call(create({ channelManager: manager, cleanOnStartUp: true }), 'start');
    assert.ok(err === error);
  });

  ours('G11 cleanOnStartUp and a manager without clean(): start succeeds', async () => {
    const manager = recordingManager();
    delete manager.clean;
    const { err } = await call(create({ channelManager: manager, cleanOnStartUp: true }), 'start');
    assert.ifError(err);
  });

  ours('G11 clean() reaches the manager', async () => {
    const manager = recordingManager();
    const service = await startedWith(manager);
    await ok(service, 'clean');
    assert.deepStrictEqual(manager.log, [
      ['start', 'function'],
      ['clean', 'function'],
    ]);
  });

  ours('G09 manager.start throws: that error through the callback', async () => {
    const thrown = new Error('thrown');
    const start = () => {
      throw thrown;
    };
    const service = create({ channelManager: { ...recordingManager(), start } });
    assert.ok((await call(service, 'start')).err === thrown);
  });

  ours('G09 manager.start answers twice: one callback', async () => {
    const start = (cb) => {
      cb(null);
      cb(new Error('again'));
    };
    const service = create({ channelManager: { ...recordingManager(), start } });
    const record = await call(service, 'start');
    await ok(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual([record.n, record.err, service.state], [1, null, 1]);
  });

  ours('G09 stop while manager.start is under way: STOPPED, the manager is stopped', async () => {
    const manager = { ...recordingManager(), start: () => {} };
    const service = create({ channelManager: manager });
    const start = invoke(service, 'start');
    await call(service, 'stop', true);
    assert.strictEqual((await start.done).err.code, 'ERR_GLOBAL_CHANNEL_STOPPED');
    assert.strictEqual(service.state, 2);
  });

  for (const [title, stop] of [
    [
      'throws',
      () => {
        throw new Error('thrown');
      },
    ],
    ['never answers', () => {}],
    [
      'answers twice with an error',
      (force, cb) => {
        cb(new Error('no'));
        cb();
      },
    ],
  ]) {
    ours(`G08 manager.stop ${title}: stop calls back once`, async () => {
      const service = await startedWith({ ...recordingManager(), stop }, { commandTimeout: 300 });
      const record = await call(service, 'stop', true);
      await new Promise(setImmediate);
      assert.strictEqual(record.n, 1);
      assert.ok(record.ms < 4500, `${record.ms} ms`);
    });
  }

  ours('G08 stop lets calls under way finish before manager.stop', async () => {
    const manager = recordingManager();
    const add = manager.add;
    manager.add = (...args) => setTimeout(() => add(...args), 50);
    const service = await startedWith(manager);
    const record = invoke(service, 'add', 'n', 'u', 's1');
    await call(service, 'stop', true);
    assert.deepStrictEqual([record.n, record.err], [1, null]);
    assert.deepStrictEqual(methods(manager), ['start', 'add', 'stop']);
  });

  ours('G08 calls under way that the manager never answers get STOPPED', async () => {
    const service = await startedWith({ ...recordingManager(), add: () => {} });
    const record = invoke(service, 'add', 'n', 'u', 's1');
    await call(service, 'stop', true);
    assert.strictEqual((await record.done).err.code, 'ERR_GLOBAL_CHANNEL_STOPPED');
  });
});
