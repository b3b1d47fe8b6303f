'use strict';

/**
 * Reports one row of the tables of `npm run test:faults`. A test calls `report` once, at its end, so that a row means that all
 * its assertions held; a test that fails is in the table by its title. In other runs nothing is written.
 */

const fs = require('fs');
const path = require('path');

/** Whether the long forms of the tests are wanted. */
const LONG = Boolean(process.env.FAULTS_LONG);

/**
 * `topic` is a heading of docs/RELIABILITY.md ('Faults', 'TLS', 'Sentinel', …), `fault` what was
 * done, `sees` what the caller sees of it, `recovered` how long after the end of the fault, or of
 * what the row says, calls were answered with success again: milliseconds, or words. `verdict` where the promise
 * holds only in part.
 */
function report({ topic = 'Faults', fault, sees, recovered, verdict }) {
  const file = process.env.FAULTS_REPORT;
  if (!file) return;
  const test = path.relative(path.resolve(__dirname, '../..'), require.main.filename);
  fs.appendFileSync(file, `${JSON.stringify({ topic, fault, sees, recovered, verdict, test })}\n`);
}

module.exports = { report, LONG };
