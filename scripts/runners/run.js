'use strict';
/**
 * The stage `runners`: the package where people use it besides Node's own test runner. Part of the core suite under Jest and
 * under Vitest (`WHOLE=1`: all of it but what compares objects of Node itself), the smoke test on Bun and on Deno, and the
 * bundlers. All of them are installed into this folder from its lock file.
 */
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const redisServer = require('../../__test__/support/redis');
const { ensurePackages } = require('../lib/packages');
const { root, start } = require('../lib/process');
const { testFiles, unitFiles, runNodeTests } = require('../lib/node-tests');

const inHere = (file) => path.join(__dirname, file);

const minutes = (n) => n * 60 * 1000;

/** What takes little time and calls everything that reaches an app. */
const QUICK =
  /contract.(a-lifecycle|b-(client|invalid|options)|c-(count|errors|members|values)|d-|g-)|(channel|early|promises|realm|stats)\.test|cache.reads|fan-out.(no-native|offer|options)|lists.(names|stores)/;

/**
 * These compare arrays that Node makes (`fs.readdirSync`, messages of worker threads), or the addon for tests only, with
 * literals; in Jest they are of two realms. One copies 300,000 members.
 */
const FOREIGN =
  /contract.(a-package|a-process)|workers|docs|security.secrets|rpc-no-delay-shapes|fan-out.native|copy-embedded/;

const files = () =>
  unitFiles().filter((file) => (process.env.WHOLE ? !FOREIGN.test(file) : QUICK.test(file)));

/** Runs Jest or Vitest, whose reports have the same form; resolves to the counts. */
async function runWith(name, [program, args]) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pome-runner-'));
  const report = path.join(folder, 'report.json');
  try {
    console.log(`\n${name}`);
    const toFile = [...args, `--outputFile=${report}`];
    const ok = await start(program, toFile, { timeout: minutes(10) }).ended;
    if (!fs.existsSync(report)) return { passed: 0, failed: 1, skipped: 0, failures: [] };
    return { failures: [], ...counted(name, JSON.parse(fs.readFileSync(report, 'utf8')), ok) };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function counted(name, report, ok) {
  const failures = report.testResults.flatMap(({ name: file, message, assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    const where = `${name}: ${path.relative(root, file)}`;
    if (failed.length === 0 && assertionResults.length === 0)
      return [{ title: where, text: message }];
    return failed.map(({ fullName, failureMessages }) => ({
      title: `${where} > ${fullName}`,
      text: failureMessages.join('\n'),
    }));
  });
  const { numPassedTests: passed, numPendingTests: skipped } = report;
  return { passed, skipped, failed: Math.max(failures.length, ok ? 0 : 1), failures };
}

const toolOf = (name, file, ...args) => [
  process.execPath,
  [inHere(`node_modules/${name}/${file}`), ...args],
];

function jest() {
  const options = ['--config', inHere('jest.config.js'), '--silent', '--json'];
  return runWith('Jest', toolOf('jest', 'bin/jest.js', ...options, '--runTestsByPath', ...files()));
}

function vitest() {
  const options = ['run', '--config', inHere('vitest.config.mjs'), '--reporter=json'];
  return runWith('Vitest', toolOf('vitest', 'vitest.mjs', ...options, ...files()));
}

/** Runs the smoke test on another runtime. */
async function smoke(name, program, args, stores) {
  let ok = true;
  for (const store of stores) {
    console.log(`\n${name}, ${store}`);
    const all = [...args, 'scripts/smoke.js', '..', store];
    ok = (await start(program, all, { timeout: minutes(1) }).ended) && ok;
  }
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0, failures: [] };
}

/** Runs it on Bun and on Deno, on each store. The server is ours: a child process keeps Deno from ending now and then. */
async function runtimes() {
  const server = await redisServer.start();
  const stores = [String(server.port), 'embedded'];
  try {
    return [
      await smoke('Bun', inHere('node_modules/.bin/bun'), [], stores),
      await smoke('Deno', inHere('node_modules/.bin/deno'), ['run', '-A'], stores),
    ];
  } finally {
    await server.stop();
  }
}

async function runRunners() {
  ensurePackages(__dirname);
  const done = [
    await jest(),
    await vitest(),
    ...(await runtimes()),
    {
      failures: [],
      ...(await runNodeTests(testFiles('bundlers'), { concurrency: 1, timeout: minutes(2) })),
    },
  ];
  const sum = (key) => done.reduce((total, each) => total + (each[key] || 0), 0);
  return {
    passed: sum('passed'),
    failed: sum('failed'),
    skipped: sum('skipped'),
    failures: done.flatMap(({ failures }) => failures),
  };
}

module.exports = { runRunners };
