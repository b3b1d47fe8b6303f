'use strict';
/**
 * `npm run test:kills`: 1,000 processes killed on one embedded store, or as many as the first argument
 * says, and 200 times 20 processes that open and close at once. `npm test` does less of both.
 */
const path = require('node:path');
const { root, run } = require('./lib/process');
const { testFiles, runNodeTests } = require('./lib/node-tests');

process.env.KILLS = process.argv[2] || '1000';
process.env.ROUNDS = '200';

const files = testFiles('embedded').filter((file) => /(kills|crowd)\.test\.js$/.test(file));
const built = run(process.execPath, [path.join(root, 'scripts/build.js'), '--broken']);
const { failed } = built
  ? runNodeTests(files, { concurrency: 1, timeout: 60 * 60 * 1000 })
  : { failed: 1 };
process.exitCode = failed > 0 ? 1 : 0;
