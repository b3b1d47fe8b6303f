'use strict';
/**
 * `npm run bench`: parses the command line and writes the results. The cells are in cells.js, the contestants in
 * contestants.js, the order in rounds.js.
 *
 *   npm run bench                         everything; writes docs/benchmark.md and docs/benchmark.svg
 *   npm run bench -- --quick              the same in two minutes, with less reliable figures
 *   npm run bench -- --filter push        cells whose id matches a regular expression
 *   npm run bench -- --contestants ours,glide
 *   npm run bench -- --rounds 9 --seconds 2 --out DIR
 *   npm run bench -- --from FILE          the report again, from kept results
 *   npm run bench -- --profile            a CPU profile of each process, in benchmark/results/profiles
 *   npm run bench -- --cluster …          the real-cluster benchmark instead, with its own options
 *
 * All results are kept in benchmark/results/benchmark.json. Without --out, a partial run writes its report to that folder.
 */

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { ensurePackages } = require('../scripts/lib/packages');
const { fail } = require('../scripts/lib/process');
const { CHANNELS, cells } = require('./cells');
const { BASELINE, contestants } = require('./contestants');
const { rate, ratio, row } = require('./format');
const memory = require('./memory');

const root = path.resolve(__dirname, '..');
const RESULTS = path.join(__dirname, 'results');
const DOCS = path.join(root, 'docs');

const GOALS = { begin: '<!-- npm run bench: goals -->', end: '<!-- end of goals -->' };

const OPTIONS = {
  filter: { type: 'string' },
  contestants: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  quick: { type: 'boolean' },
  profile: { type: 'boolean' },
  out: { type: 'string' },
  from: { type: 'string' },
};

const positive = (text, name) => {
  const value = Number(text);
  if (!(value > 0)) fail(`--${name} takes a number above 0, not ${text}`);
  return value;
};

function readOptions(args) {
  let values;
  try {
    ({ values } = parseArgs({ args, options: OPTIONS }));
  } catch (err) {
    fail(`${err.message}\nOptions: --${Object.keys(OPTIONS).join(', --')}, --cluster`);
  }
  const { quick, filter } = values;
  const names = values.contestants && values.contestants.split(',');
  const unknown = (names || []).filter((name) => !contestants.some(({ id }) => id === name));
  if (unknown.length) fail(`Contestants are ${contestants.map(({ id }) => id).join(', ')}`);
  const matches = ({ id }) => !filter || new RegExp(filter, 'i').test(id);
  if (!cells.some(matches) && !matches(memory.cell)) fail(`No cell matches ${filter}`);
  const seconds = positive(values.seconds || (quick ? 0.1 : 0.4), 'seconds');
  const whole = !quick && !filter && !names && !values.profile;
  const chosen = contestants.filter(({ id }) => !names || id === BASELINE || names.includes(id));
  return {
    cells: cells
      .filter(matches)
      .map((cell) => (quick && cell.reads ? { ...cell, reads: 1 } : cell)),
    chosen,
    memory: matches(memory.cell) && chosen.some(({ id }) => id === 'ours'),
    rounds: Math.round(positive(values.rounds || (quick ? 1 : 3), 'rounds')),
    timing: { seconds, warmUp: seconds / 4, warmUpCalls: (quick ? 1 : 2) * CHANNELS },
    profiles: values.profile && path.join(RESULTS, 'profiles'),
    out: path.resolve(values.out || (whole ? DOCS : RESULTS)),
    from: values.from,
    command: ['npm run bench', ...(args.length ? ['--', ...args] : [])].join(' '),
  };
}

async function measure(options) {
  const { describe } = require('./machine');
  const { runMemory, runRounds } = require('./rounds');
  const { open } = require('./stores');
  const { chosen, rounds, timing } = options;
  const stores = await open(chosen.map(({ store }) => store));
  try {
    console.log(row(['round', 'cell'.padEnd(34), ...chosen.map(columnOf)]));
    console.log(
      row([':--:', '-'.repeat(34), ...chosen.map((c) => '-'.repeat(columnOf(c).length))]),
    );
    const onCell = (round, cell, records) =>
      showCell(`${round + 1}/${rounds}`, cell, records, chosen);
    const records = await runRounds({ stores, ...options, onCell });
    if (options.memory) records.push(...(await runMemory({ stores, rounds, onCell })));
    const ids = chosen.map(({ id }) => id);
    const machine = describe(options.command, stores.embedded.folder);
    return { machine, rounds, timing, contestants: ids, records };
  } finally {
    await stores.close();
  }
}

const columnOf = ({ id }) => id.padStart(10);

/** Prints a line of the live table: calls per second of 0.0.7, and multiples of it for the others. */
function showCell(round, cell, records, chosen) {
  const base = records.find(({ contestant }) => contestant === BASELINE);
  const columns = chosen.map((contestant) => {
    const record = records.find((other) => other.contestant === contestant.id);
    const text = record ? shown(record, base) : '';
    return text.padStart(columnOf(contestant).length);
  });
  console.log(row([round.padStart(5), cell.id.padEnd(34), ...columns]));
  for (const { contestant, error } of records) {
    if (error) console.error(`${contestant}, ${cell.id}: ${error}`);
  }
}

function shown(record, base) {
  if (record.error) return 'failed';
  if (record.rss !== undefined) return `${Math.round(record.rss)} B`;
  const speed = record.ops / record.seconds;
  if (record === base) return rate(speed);
  return base && !base.error ? ratio(speed / (base.ops / base.seconds)) : rate(speed);
}

async function writeReport(run, folder) {
  const prettier = require('prettier');
  const { draw } = require('./chart');
  const { document } = require('./report');
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'benchmark.md');
  const markdown = await prettier.format(document(run), { parser: 'markdown' });
  fs.writeFileSync(file, markdown);
  fs.writeFileSync(path.join(folder, 'benchmark.svg'), draw(run));
  if (folder === DOCS) await renewGoals(run);
  console.log(`\nReport: ${path.relative(process.cwd(), file)}, with its chart benchmark.svg`);
}

/** Writes the table of goals to docs/PERFORMANCE.md too, between two marks. */
async function renewGoals(run) {
  const prettier = require('prettier');
  const { targetsTable } = require('./report');
  const file = path.join(DOCS, 'PERFORMANCE.md');
  const [before, rest] = fs.readFileSync(file, 'utf8').split(GOALS.begin);
  const [, after] = rest.split(GOALS.end);
  const table = `${GOALS.begin}\n\n${targetsTable(run)}\n\n${GOALS.end}`;
  const options = await prettier.resolveConfig(file);
  const text = await prettier.format(before + table + after, { ...options, parser: 'markdown' });
  fs.writeFileSync(file, text);
}

/** Failures and stale lists of 0.0.7 and ours set exit code 1; those of the peers are only reported. */
function defects(run) {
  return run.records.filter(
    ({ contestant, error, stale }) =>
      [BASELINE, 'ours', 'embedded', 'synced', 'uncached', 'cluster', 'tagged'].includes(
        contestant,
      ) &&
      (error || stale),
  );
}

async function main(args) {
  if (args.includes('--cluster')) {
    const rest = args.filter((arg) => arg !== '--cluster');
    const script = path.join(__dirname, 'cluster/run.js');
    process.exit(spawnSync(process.execPath, [script, ...rest], { stdio: 'inherit' }).status);
  }
  const options = readOptions(args);
  ensurePackages(__dirname);
  const kept = path.join(RESULTS, 'benchmark.json');
  const run = options.from
    ? JSON.parse(fs.readFileSync(options.from, 'utf8'))
    : await measure(options);
  if (!options.from) {
    fs.mkdirSync(RESULTS, { recursive: true });
    fs.writeFileSync(kept, JSON.stringify(run));
  }
  const { memoryText, targetsTable } = require('./report');
  console.log(`\n${targetsTable(run)}\n\n${memoryText(run)}`);
  await writeReport(run, options.out);
  const wrong = defects(run);
  for (const { round, cell, contestant, error, stale } of wrong) {
    console.error(`round ${round + 1}, ${cell}, ${contestant}: ${error || `${stale} stale lists`}`);
  }
  process.exitCode = wrong.length ? 1 : 0;
}

main(process.argv.slice(2)).catch((err) => {
  console.error(err);
  process.exit(1);
});
