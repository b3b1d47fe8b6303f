'use strict';

// The commands copy and list. Copying itself is in src/inventory/.

const { fstatSync } = require('fs');

const { copyStore, listStore } = require('../stores');
const { CODES } = require('./exit');
const { plural, visible, warn, write } = require('./output');
const { createProgress } = require('./progress');

const howMany = ({ keys, members }) => `${plural(keys, 'channel')}, ${plural(members, 'member')}`;

async function copy(values) {
  const begin = Date.now();
  const line = createProgress({ lines: true });
  let report;
  const onProgress = (done) => line.show(howMany(done), done.members);
  try {
    report = await copyStore({ ...values, onProgress, onNote: warn });
  } catch (err) {
    if (err.code === 'ERR_GLOBAL_CHANNEL_DISCONNECTED') {
      err.hint = 'Run it again: what was copied stays, and adding it again does no harm.';
    }
    throw err;
  } finally {
    line.end();
  }
  // Before the output: a reader that closes the pipe ends the process.
  process.exitCode = report.verified ? CODES.DONE : CODES.FAILED;
  const seconds = ((Date.now() - begin) / 1000).toFixed(1);
  console.log(`${howMany(report)}, ${seconds} s`);
  for (const left of report.leftOut) console.log(visible(`left out: ${left}`));
  tell('not taken in full', report.refused, ({ key, why }) => `${JSON.stringify(key)}: ${why}`);
  tell(
    'counts differ',
    report.differing,
    ({ key, source, target }) =>
      `${JSON.stringify(key)}: ${source} in the source, ${target} in the target`,
  );
  if (report.verified) console.log('verified: the counts of all channels agree');
  return process.exitCode;
}

function tell(title, { count, first }, describe) {
  if (count === 0) return;
  console.log(`${title}: ${plural(count, 'channel')}`);
  for (const one of first) console.log(visible(`  ${describe(one)}`));
  if (count > first.length) console.log(`  … and ${count - first.length} more`);
}

async function list(values) {
  // Elsewhere its lines show how far it is, or the program that reads them may write to the same terminal.
  const line = fstatSync(process.stdout.fd).isFile() ? createProgress() : undefined;
  let count = 0;
  try {
    for await (const text of listStore({ ...values, onNote: warn })) {
      count += text.split('\n').length - 1;
      line?.show(plural(count, 'line'), count);
      await write(text);
    }
  } finally {
    line?.end();
  }
  return CODES.DONE;
}

module.exports = { copy, list };
