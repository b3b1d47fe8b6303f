'use strict';
/**
 * The Node test files by suite, and how to run some of them with one Node and count. Which suites
 * run when is for test.js and nodes.js to say.
 */
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root, run } = require('./process');

/**
 * Test files (`*.test.js`) below __test__: `cluster` starts pomelo or pinus processes, `fan-out` single frontends of them, `linear` many
 * processes on one store, `topology` servers that stand in for one another, `embedded` does harm to processes that share a folder and to the folder, `pack`
 * installs the tarball, `broken` takes the addon whose rules can be broken; `core` is everything else and
 * runs on every Node we support.
 */
function testFiles(suite) {
  return filesBelow('__test__').filter(
    (file) => file.endsWith('.test.js') && suiteOf(file) === suite,
  );
}

/** Those of the core suite that say most in little time, for servers and users that are not the usual ones. */
function essentialFiles() {
  const names =
    /contract.(a-clean|a-lifecycle|b-options|c-|d-)|cache.(commands|reads|writes)\.|parity/;
  return testFiles('core').filter((file) => names.test(file));
}

/** The core suite without what takes long: faults, which wait for time-outs, random input, and leaks. */
function unitFiles() {
  const slow = /^__test__.(faults|fuzz|leaks)/;
  return testFiles('core').filter((file) => !slow.test(file));
}

/** All test files of one folder, whatever their suite; none if there is no such folder. */
function testFilesIn(folder) {
  if (!fs.existsSync(path.join(root, folder))) return [];
  return filesBelow(folder).filter((file) => file.endsWith('.test.js'));
}

/** Those of fan-out/ that start no process, and are to run on every Node. */
const FAN_OUT_IN_PROCESS = ['native', 'no-native', 'offer', 'options', 'scheduler'];

function suiteOf(file) {
  const [, folder] = file.split(path.sep);
  const name = path.basename(file, '.test.js');
  if (name === 'broken' || name === 'pack') return name;
  if (folder === 'fan-out') return FAN_OUT_IN_PROCESS.includes(name) ? 'core' : 'fan-out';
  return ['cluster', 'linear', 'embedded', 'topology'].includes(folder) ? folder : 'core';
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
 * Runs test files with this Node, results shown as they come. Resolves to `{passed, failed, skipped, failures}`, a
 * failure being `{title, text}`. `timeout` (ms, for one file) is there for tests that hang: nothing else would end
 * them. `env` is set for them.
 */
function runNodeTests(files, { concurrency, timeout, env = {} }) {
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
    const ok = run(process.execPath, args, { env: { ...process.env, ...env } });
    return count(fs.existsSync(report) ? fs.readFileSync(report, 'utf8') : '', ok);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Reads what reporter.js wrote; a run that failed and left no failure still counts as one. */
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
