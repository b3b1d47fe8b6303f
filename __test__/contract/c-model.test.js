'use strict';

/** Random histories of all methods but pushes on every store, against a model (support/model.js). */

const { checkModel } = require('../support/model');
const { stores, ours } = require('../support/rows');
const { started } = require('../support/service');

stores('C model', (ctx) => {
  ours(
    'every answer of a random history is that of the model',
    async () => {
      await checkModel([await started(ctx.store), await started(ctx.store)]);
    },
    { timeout: 120000 },
  );

  ours(
    'the same without lists in memory',
    async () => {
      await checkModel([await started(ctx.store, { cache: false })], 20);
    },
    { timeout: 120000 },
  );
});
