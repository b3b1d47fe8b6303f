'use strict';
/**
 * `npm run test:linear`: the linearizability suite with a million reads, or as many as the first
 * argument says. `npm test` runs it with fewer.
 */
const { testFiles, runNodeTests } = require('./lib/node-tests');

process.env.LINEAR_READS = process.argv[2] || '1000000';
const { failed } = runNodeTests(testFiles('linear'), { concurrency: 1, timeout: 30 * 60 * 1000 });
process.exitCode = failed > 0 ? 1 : 0;
