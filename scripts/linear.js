'use strict';
/**
 * `npm run test:linear`: the linearizability suite with a million reads, or as many as the first
 * argument says. `npm test` runs it with fewer, and with broken caches besides.
 */
const { testFiles, runNodeTests } = require('./lib/node-tests');

const files = testFiles('linear').filter((file) => file.endsWith('linear.test.js'));

process.env.LINEAR_READS = process.argv[2] || '1000000';
const { failed } = runNodeTests(files, { concurrency: 1, timeout: 30 * 60 * 1000 });
process.exitCode = failed > 0 ? 1 : 0;
