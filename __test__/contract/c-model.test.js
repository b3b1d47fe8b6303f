'use strict';

/**
 * Random histories of all methods on every store and with custom managers, against a model (support/model.js): answers, counts
 * of changes, and who gets which push. Redis Cluster is in topology/cluster.test.js.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { TABLE } = require('../support/call');
const { COMMANDS } = require('../support/commands');
const { memoryManager, startedWith } = require('../support/manager');
const { checkModel, modelApp } = require('../support/model');
const { stores, ours } = require('../support/rows');
const { started, stopAll } = require('../support/service');

const LONG = { timeout: 120000 };

stores('C model', (ctx) => {
  const service = (opts, impl) => started(ctx.store, opts, modelApp(), impl);

  ours(
    'every answer and push of a random history is that of the model',
    async () => {
      await checkModel([await service(), await service()]);
    },
    LONG,
  );

  for (const opts of [{}, { cache: false }]) {
    ours(
      `the same with an index of members, ${JSON.stringify(opts)}`,
      async () => {
        const session = { membership: 'session', ...opts };
        await checkModel([await service(session), await service(session)]);
      },
      LONG,
    );
  }

  ours(
    'the same without lists in memory',
    async () => {
      await checkModel([await service({ cache: false })], 40);
    },
    LONG,
  );

  ours.redis(
    'the same while 0.0.7 writes to the same channels',
    async () => {
      await checkModel([await service(), await service({}, 'old')]);
    },
    LONG,
  );
});

describe('C model of custom managers', () => {
  afterEach(stopAll);

  for (const [title, options] of [
    ['with the methods of 0.0.7', {}],
    ['with all methods', { all: true }],
    ['with all methods, by promises', { all: true, promises: true }],
  ]) {
    ours(
      `the same with a manager ${title}`,
      async () => {
        await checkModel([await startedWith(memoryManager(options), {}, modelApp())]);
      },
      LONG,
    );
  }

  ours('no method is left out of the model', () => {
    // Who is online depends on leases and sessions, which the model does not have: see sessions/.
    const isInModel = ({ scope }) => !['users', 'online', 'onlinePage'].includes(scope);
    const methods = Object.keys(TABLE).filter((method) => isInModel(TABLE[method]));
    const missing = methods.filter((method) => !(method in COMMANDS));
    assert.deepStrictEqual(missing, [], 'methods without a row in support/commands.js');
  });
});
