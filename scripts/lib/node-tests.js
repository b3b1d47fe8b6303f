'use strict';
/**
 * Finds the Node test files of a suite, runs them, and counts the results. Which suites run is decided by stages.js and
 * nodes.js.
 */
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root, start } = require('./process');

/**
 * Returns the test files (`*.test.js`) of a suite below __test__: `pomelo-cluster` starts pomelo or pinus clusters,
 * `fan-out` single frontends, `linearizability` many processes on one store, `topology` servers that fail over to one
 * another; `embedded` kills processes that share a folder and damages the folder; `page` takes a browser; `pack` installs the tarball; `bundlers`
 * needs the packages of scripts/runners; `broken` uses the addon whose rules can be broken; `core` is everything else, and
 * runs on every supported Node.
 */
function testFiles(suite) {
  return filesBelow('__test__').filter(
    (file) => file.endsWith('.test.js') && suiteOf(file) === suite,
  );
}

/**
 * Returns the files of the core suite with the best coverage per second, for other servers and for users with few
 * rights.
 */
function essentialFiles() {
  const names =
    /contract.(a-clean|a-lifecycle|b-options|c-|d-)|cache.(commands|reads|writes)\.|events.(reasons|watch)\.|parity/;
  return testFiles('core').filter((file) => names.test(file));
}

/**
 * Returns the files of the core suite without the slow parts: faults, which wait for timeouts, random input, and leaks.
 */
function unitFiles() {
  const slow = /^__test__.(faults|fuzz|leaks)/;
  return testFiles('core').filter((file) => !slow.test(file));
}

/** Returns all test files of a folder, of any suite; none if the folder does not exist. */
function testFilesIn(folder) {
  if (!fs.existsSync(path.join(root, folder))) return [];
  return filesBelow(folder).filter((file) => file.endsWith('.test.js'));
}

/** Those of fan-out/ that start no process, and are to run on every Node. */
const FAN_OUT_IN_PROCESS = ['native', 'no-native', 'offer', 'options', 'scheduler'];

function suiteOf(file) {
  const [, folder] = file.split(path.sep);
  const name = path.basename(file, '.test.js');
  if (['broken', 'bundlers', 'pack'].includes(name)) return name;
  if (folder === 'fan-out') return FAN_OUT_IN_PROCESS.includes(name) ? 'core' : 'fan-out';
  return ['pomelo-cluster', 'linearizability', 'embedded', 'topology', 'page'].includes(folder)
    ? folder
    : 'core';
}

function filesBelow(folder) {
  const entries = fs.readdirSync(path.join(root, folder), { withFileTypes: true });
  return entries
    .flatMap((entry) => {
      const file = path.join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(file) : [file];
    })
    .sort();
}

/**
 * Runs test files with this Node and shows the results. Resolves to `{passed, failed, skipped, failures}`, where a
 * failure is `{title, text}`. `timeout` (ms, for one file) ends tests that hang. `env` is added to their environment.
 */
async function runNodeTests(files, { concurrency, timeout, env = {} }) {
  if (files.length === 0) {
    console.log('No test file here.');
    return { passed: 0, failed: 1 };
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pome-test-'));
  const report = path.join(folder, 'report');
  try {
    const args = [
      '--test',
      `--test-concurrency=${concurrency}`,
      `--test-timeout=${timeout}`,
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      `--test-reporter=${path.join(__dirname, 'reporter.js')}`,
      `--test-reporter-destination=${report}`,
      ...files,
    ];
    const ok = await start(process.execPath, args, { env: { ...process.env, ...env } }).ended;
    return count(fs.existsSync(report) ? fs.readFileSync(report, 'utf8') : '', ok);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Counts what reporter.js wrote; a run that failed without a reported failure counts as one. */
function count(report, ok) {
  const lines = report
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const total = (name) => lines.find((line) => line.total === name)?.count ?? 0;
  const failed = total('fail') + total('cancelled');
  return {
    passed: total('pass'),
    failed: ok ? failed : Math.max(failed, 1),
    skipped: total('skipped'),
    failures: lines.flatMap(({ failure }) => failure ?? []),
  };
}

module.exports = { testFiles, testFilesIn, essentialFiles, unitFiles, runNodeTests };
