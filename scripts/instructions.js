'use strict';
/**
 * `npm run bench:instructions`: counts the instructions of the core's hot paths (benches/instructions)
 * with callgrind, and fails if a path needs more than is recorded in benches/instructions.json.
 * `-- --record` writes that file, `-- NAME …` runs only the paths whose name contains NAME.
 *
 * Counts are comparable only with the same compiler, C library (malloc is a large part) and valgrind: with others they
 * are shown without a verdict. The profiles are kept for callgrind_annotate.
 */
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { root, which, fail } = require('./lib/process');

const RECORD = path.join(root, 'benches/instructions.json');
const PROFILES = path.join(root, 'target/instructions');

/**
 * The tolerance for a count. The hash tables' seeds are random: the paths of the session differ by up to 0.3 % from run
 * to run, the others do not.
 */
const TOLERANCE = 0.02;

/** Runs a program to its end; returns its stdout. */
function output(program, args) {
  const stdio = ['ignore', 'pipe', 'inherit'];
  const done = spawnSync(program, args, {
    cwd: root,
    stdio,
    encoding: 'utf8',
    maxBuffer: Infinity,
  });
  if (done.error) fail(`${program}: ${done.error.message}`);
  if (done.status !== 0) fail(`${program} ended with an error (above).`);
  return done.stdout;
}

/** Returns the versions on which the counts depend. */
function environment() {
  const rustc = output('rustc', ['-vV']);
  const line = (name) => new RegExp(`^${name}: (.*)$`, 'm').exec(rustc)[1];
  return {
    rustc: line('release'),
    target: line('host'),
    glibc: process.report.getReport().header.glibcVersionRuntime,
    valgrind: output('valgrind', ['--version']).trim(),
  };
}

/** Builds the program as the addon is built, without the binding; returns its path. */
function build() {
  const args = [
    'bench',
    '--no-run',
    '--locked',
    '--no-default-features',
    '--bench',
    'instructions',
  ];
  const messages = output('cargo', [...args, '--message-format=json-render-diagnostics']);
  const artifacts = messages.split('\n').filter((line) => line.startsWith('{'));
  return artifacts
    .map((line) => JSON.parse(line))
    .filter(({ target, executable }) => executable && target.name === 'instructions')
    .pop().executable;
}

/** Returns the number of instructions for one item of a path. */
function count(program, name, items) {
  const profile = path.join(PROFILES, `${name}.out`);
  const callgrind = ['--tool=callgrind', '--toggle-collect=instructions::measured*'];
  output('valgrind', ['--quiet', ...callgrind, `--callgrind-out-file=${profile}`, program, name]);
  const totals = /^totals: (\d+)$/m.exec(fs.readFileSync(profile, 'utf8'));
  if (!totals || totals[1] === '0') fail(`${name}: nothing was counted.`);
  return Math.round((10 * Number(totals[1])) / items) / 10;
}

/** Prints a count beside the recorded one; true if it is within the tolerance. */
function judge(name, now, before) {
  const more = now / before - 1;
  const percent = `${more > 0 ? '+' : ''}${(100 * more).toFixed(1)} %`;
  let words = '';
  if (before === undefined) words = 'not recorded';
  else if (more > TOLERANCE) words = `MORE than ${before}: ${percent}`;
  else if (more < -TOLERANCE) words = `less than ${before}: ${percent}; record it`;
  console.log(`${name.padEnd(34)}${now.toFixed(1).padStart(9)}  ${words}`);
  return more <= TOLERANCE;
}

const shown = (environment) => Object.entries(environment).flat().join(' ');

function main(args) {
  if (!which('valgrind')) fail('valgrind is not there. On Debian: apt-get install valgrind');
  const record = args.includes('--record');
  const names = args.filter((arg) => arg !== '--record');
  if (record && names.length > 0) fail('--record writes all paths, not some.');

  const here = environment();
  const program = build();
  fs.mkdirSync(PROFILES, { recursive: true });
  const recorded = JSON.parse(fs.readFileSync(RECORD, 'utf8'));
  const paths = output(program, [])
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([name]) => names.length === 0 || names.some((part) => name.includes(part)));
  if (paths.length === 0) fail(`No path is named like ${names.join(' or ')}.`);

  console.log('Instructions per item:\n');
  const perItem = {};
  const failed = paths.filter(([name, items]) => {
    perItem[name] = count(program, name, Number(items));
    return !judge(name, perItem[name], recorded.perItem[name]);
  });
  console.log(`\nProfiles: callgrind_annotate ${path.join(PROFILES, 'NAME.out')}`);

  if (record) {
    fs.writeFileSync(RECORD, `${JSON.stringify({ environment: here, perItem }, null, 2)}\n`);
    console.log(`Recorded in ${path.relative(root, RECORD)}.`);
  } else if (shown(here) !== shown(recorded.environment)) {
    console.log(`Not judged: here is ${shown(here)}, recorded ${shown(recorded.environment)}.`);
  } else if (failed.length > 0) {
    fail(`Not as recorded: ${failed.map(([name]) => name).join(', ')}
If it is meant: npm run bench:instructions -- --record`);
  }
}

main(process.argv.slice(2));
