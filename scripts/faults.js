'use strict';
/**
 * `npm run test:faults`: runs the fault tests in their long form and the topologies, then prints a table with a row for
 * each fault, and writes it to docs/RELIABILITY.md if all passed. With arguments it runs only the test files whose path
 * contains one of them, and writes nothing. A row is what a test reported (__test__/support/report.js); tests that
 * failed or were skipped have a row with their title.
 */
require('./lib/end-with-parent');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { run } = require('node:test');
const { spec } = require('node:test/reporters');
const { table } = require('../benchmark/format');
const { root } = require('./lib/process');
const { testFilesIn } = require('./lib/node-tests');
const { programOf } = require('./lib/programs');

const FOLDERS = ['__test__/faults', '__test__/topology'];
const FILE = path.join(root, 'docs/RELIABILITY.md');
const MARKS = { begin: '<!-- npm run test:faults -->', end: '<!-- end of faults -->' };
/** For one file, in ms. */
const TIMEOUT = 20 * 60 * 1000;

/** Runs the files and shows the results; resolves to `{rows, ok}`. */
function measure(files) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pome-faults-'));
  const report = path.join(folder, 'rows');
  fs.writeFileSync(report, '');
  // A value in the environment wins: an empty FAULTS_LONG gives the short form, to try the runner.
  Object.assign(process.env, { FAULTS_LONG: '1', ...process.env, FAULTS_REPORT: report });
  const others = [];
  const other = (verdict) => (event) => {
    if (verdict(event)) others.push(rowOf(event, verdict(event)));
  };
  return new Promise((resolve, reject) => {
    const tests = run({ files, concurrency: 1, timeout: TIMEOUT });
    tests.on('test:fail', other(failure));
    tests.on('test:pass', other(skipped));
    tests.on('error', reject);
    tests.on('end', () => {
      const lines = fs.readFileSync(report, 'utf8').split('\n').filter(Boolean);
      fs.rmSync(folder, { recursive: true, force: true });
      const rows = lines.map((line) => ({ verdict: 'holds', ...JSON.parse(line) }));
      const ok = !others.some(({ verdict }) => verdict.startsWith('FAILED'));
      resolve({ ok: ok && rows.length > 0, rows: [...rows, ...others] });
    });
    tests.compose(new spec()).pipe(process.stdout);
  });
}

/** Returns the verdict on a test that failed; none for a suite, which fails with its tests. */
function failure({ details: { error } }) {
  if (error.failureType === 'subtestsFailed') return undefined;
  return `FAILED: ${String((error.cause && error.cause.message) || error.message).split('\n')[0]}`;
}

/** Returns the verdict on a test that was skipped with a reason. */
function skipped({ skip }) {
  return typeof skip === 'string' ? `not tried here: ${skip}` : undefined;
}

function rowOf({ name, file }, verdict) {
  const test = file ? path.relative(root, file) : '';
  return { topic: topicOf(test), fault: name, sees: '', recovered: '', test, verdict };
}

/** Returns the topic of a test that reported none itself. */
const topicOf = (test) =>
  test.includes('topology') ? path.basename(test, '.test.js').replace(/^./, upper) : 'Faults';
const upper = (letter) => letter.toUpperCase();

const time = (recovered) => (typeof recovered === 'number' ? `${recovered} ms` : recovered);

const byTopic = (rows) => {
  const topics = new Map(rows.map(({ topic }) => [topic, []]));
  for (const row of rows) topics.get(row.topic).push(row);
  return topics;
};

function print(rows) {
  for (const [topic, some] of byTopic(rows)) {
    console.log(`\n${topic}`);
    const shown = some.map(({ fault, sees, recovered, verdict }) => [
      fault,
      { 'what the caller sees': sees, 'works again after': time(recovered), verdict },
    ]);
    console.table(Object.fromEntries(shown));
  }
}

/** Returns the text of a table cell, which `|` would end. */
const cell = (text) => String(text).replace(/\|/g, '\\|');

function markdown(rows) {
  const head = ['fault', 'what the caller sees', 'works again after', 'verdict', 'test'];
  const tables = [...byTopic(rows)].map(([topic, some]) => {
    const cells = some.map(({ fault, sees, recovered, verdict, test }) =>
      [fault, sees, time(recovered), verdict, test.replace('__test__/', '')].map(cell),
    );
    return `### ${topic}\n\n${table(head, cells).replace(/---:/g, '---')}`;
  });
  const date = new Date().toISOString().slice(0, 10);
  const cpus = os.cpus();
  const machine = `${cpus.length} × ${cpus[0].model}, Node ${process.versions.node}`;
  return `Measured on ${date}; ${machine}.\n\n${tables.join('\n\n')}`;
}

async function renew(rows) {
  const prettier = require('prettier');
  const [before, rest] = fs.readFileSync(FILE, 'utf8').split(MARKS.begin);
  const [, after] = rest.split(MARKS.end);
  const text = `${before}${MARKS.begin}\n\n${markdown(rows)}\n\n${MARKS.end}${after}`;
  const options = await prettier.resolveConfig(FILE);
  fs.writeFileSync(FILE, await prettier.format(text, { ...options, parser: 'markdown' }));
}

async function main(wanted) {
  const all = FOLDERS.flatMap(testFilesIn);
  const files = all.filter((file) => !wanted.length || wanted.some((part) => file.includes(part)));
  if (!files.length) {
    console.error(`No test file matches. There are: ${all.join(', ')}`);
    process.exit(2);
  }
  // For a clock that jumps; without it that test is skipped with a reason.
  programOf(['faketime'], 'faketime');
  const start = Date.now();
  const { ok, rows } = await measure(files);
  print(rows);
  console.log(`\n${Math.round((Date.now() - start) / 1000)} s`);
  if (ok && !wanted.length) {
    await renew(rows);
    console.log(`The table is in ${path.relative(root, FILE)} now.`);
  }
  process.exitCode = ok ? 0 : 1;
}

main(process.argv.slice(2));
