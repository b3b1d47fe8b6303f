'use strict';
/**
 * `npm run bench -- --cluster`: what a push costs, and how long it takes, in a real pomelo cluster.
 * The command line and the order of the rounds; one round is round.js.
 *
 *   npm run bench -- --cluster                      docs/benchmark-cluster.md anew, 20 minutes
 *   npm run bench -- --cluster --quick              one short round; figures mean little
 *   npm run bench -- --cluster --sizes 30,1000 --rounds 3 --contestants old,ours --out DIR
 *   npm run bench -- --cluster --from FILE          the report again, from results kept before
 *
 * Results of all rounds are kept in benchmark/results/cluster.json. Without --out, a run that is not
 * whole writes its report there too. Linux only: CPU times come from /proc.
 */

const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { ensurePackages } = require('../../scripts/lib/packages');
const { fail } = require('../../scripts/lib/process');
const { contestants } = require('./figures');

const root = path.resolve(__dirname, '../..');
const BENCHMARK = path.join(root, 'benchmark');
const RESULTS = path.join(BENCHMARK, 'results');
const SIZES = [30, 300, 1000];

const OPTIONS = {
  sizes: { type: 'string' },
  rounds: { type: 'string' },
  contestants: { type: 'string' },
  quick: { type: 'boolean' },
  out: { type: 'string' },
  from: { type: 'string' },
};

function readOptions(args) {
  let values;
  try {
    ({ values } = parseArgs({ args, options: OPTIONS }));
  } catch (error) {
    fail(`${error.message}\nOptions with --cluster: --${Object.keys(OPTIONS).join(', --')}`);
  }
  const { quick } = values;
  const sizes = values.sizes ? values.sizes.split(',').map(Number) : SIZES;
  const rounds = Number(values.rounds || (quick ? 1 : 5));
  if (![...sizes, rounds].every((n) => Number.isInteger(n) && n > 0)) {
    fail('--sizes and --rounds take whole numbers above 0');
  }
  const ids = contestants.map(({ id }) => id);
  const chosen = values.contestants ? values.contestants.split(',') : ids;
  const unknown = chosen.filter((id) => !ids.includes(id));
  if (unknown.length > 0) fail(`Contestants are ${ids.join(', ')}`);
  const whole = !quick && !values.sizes && !values.contestants;
  return {
    sizes: [...sizes].sort((a, b) => a - b),
    rounds,
    quick,
    chosen: contestants.filter(({ id }) => chosen.includes(id)),
    out: path.resolve(values.out || (whole ? path.join(root, 'docs') : RESULTS)),
    from: values.from,
    command: ['npm run bench -- --cluster', ...args].join(' '),
  };
}

/** How many pushes, and how fast: so that the clients, not only the servers, keep up with ease. */
function plan(size, quick) {
  const rate = Math.min(100, Math.max(1, Math.round(6000 / size)));
  return {
    rate,
    // Until V8 has compiled what a push runs through.
    warmUp: quick ? 20 : 60,
    single: quick ? 15 : 40,
    paced: quick ? rate * 2 : Math.max(40, rate * 4),
    idle: quick ? 2 : 4,
  };
}

async function measure({ sizes, rounds, quick, chosen, command }, save) {
  const { runRound } = require('./round');
  const { describe } = require('../machine');
  const { versions, ...machine } = describe(command);
  const pomelo = require('pomelo/package.json').version;
  const names = ['Node', 'Redis', 'this package', 'pomelo-globalchannel-plugin'];
  const run = {
    machine: {
      ...machine,
      versions: { ...Object.fromEntries(names.map((name) => [name, versions[name]])), pomelo },
    },
    sizes,
    rounds,
    plans: Object.fromEntries(sizes.map((size) => [size, plan(size, quick)])),
    contestants: chosen.map(({ id }) => id),
    records: [],
  };
  for (let round = 0; round < rounds; round += 1) {
    // Each begins as often as the others.
    const turn = round % chosen.length;
    for (const { id, plugin = root, options } of [
      ...chosen.slice(turn),
      ...chosen.slice(0, turn),
    ]) {
      const profile = round === 0;
      const planned = (size) => ({ ...run.plans[size], profile });
      const figures = await runRound({ plugin, options }, sizes, planned);
      for (const size of sizes) {
        run.records.push({ round, contestant: id, size, ...figures[size] });
        show(run.records.at(-1), rounds);
      }
      save(run);
    }
  }
  return run;
}

function show({ round, contestant, size, last, cpu }, rounds) {
  const median = [...last].sort((a, b) => a - b)[last.length >> 1];
  const columns = [
    `round ${round + 1}/${rounds}`,
    `${String(size).padStart(4)} clients`,
    contestant.padEnd(8),
    `last client ${median.toFixed(1).padStart(6)} ms`,
    ...['chat', 'connectors', 'redis'].map((name) => `${name} ${cpu[name].toFixed(2)} ms`),
  ];
  console.log(columns.join('  '));
}

async function writeReport(run, folder) {
  const prettier = require('prettier');
  const { document } = require('./report');
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'benchmark-cluster.md');
  fs.writeFileSync(file, await prettier.format(document(run), { parser: 'markdown' }));
  console.log(`\nReport: ${path.relative(process.cwd(), file)}`);
}

async function main(args) {
  if (process.platform !== 'linux') fail('The real-cluster benchmark reads /proc: Linux only.');
  const options = readOptions(args);
  const kept = path.join(RESULTS, 'cluster.json');
  fs.mkdirSync(RESULTS, { recursive: true });
  const save = (run) => fs.writeFileSync(kept, JSON.stringify(run));
  // machine.js tells the versions of all of them.
  ensurePackages(BENCHMARK);
  const run = options.from
    ? JSON.parse(fs.readFileSync(options.from, 'utf8'))
    : await measure(options, save);
  const { aimsTable, sharesTable, sizeTable } = require('./report');
  for (const size of run.sizes) console.log(`\n${sizeTable(run, size)}`);
  console.log(`\n${sharesTable(run)}\n\n${aimsTable(run)}`);
  await writeReport(run, options.out);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
