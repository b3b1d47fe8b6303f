'use strict';
/**
 * `npm run bench -- --cluster`: what a push costs, and how long it takes, in a real pomelo cluster.
 * The command line and the order of the rounds; one round is round.js.
 *
 *   npm run bench -- --cluster             docs/benchmark-cluster.md and .svg anew, some 50 minutes
 *   npm run bench -- --cluster --quick     one short round; figures mean little
 *   npm run bench -- --cluster --members 30,1000 --clients plain,deflate --rounds 3 --out DIR
 *   npm run bench -- --cluster --contestants old,ours,before
 *   npm run bench -- --cluster --contestants old,ours,other --root FOLDER   with another build of this package
 *   npm run bench -- --cluster --limit-at none  (or 300,1000) where to search for the highest rate
 *   npm run bench -- --cluster --profile   CPU profiles of the chat server and one connector too
 *   npm run bench -- --cluster --from FILE the report again, from results kept before
 *
 * Results of all rounds are kept in benchmark/results/cluster.json. Without --out, a run that is not
 * whole writes its report there too. Linux only: CPU times come from /proc, and it takes a C compiler.
 */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { ensurePackages } = require('../../scripts/lib/packages');
const { fail } = require('../../scripts/lib/process');
const { CLIENTS, contestants } = require('./figures');
const { median } = require('./quantiles');

const root = path.resolve(__dirname, '../..');
const BENCHMARK = path.join(root, 'benchmark');
const RESULTS = path.join(BENCHMARK, 'results');
const SIZES = [30, 300, 1000, 3000];
const LIMIT_AT = 1000;
/** The clients of one of three connectors. */
const FLOOR_SOCKETS = 334;

const OPTIONS = {
  members: { type: 'string' },
  clients: { type: 'string' },
  rounds: { type: 'string' },
  contestants: { type: 'string' },
  root: { type: 'string' },
  'limit-at': { type: 'string' },
  profile: { type: 'boolean' },
  quick: { type: 'boolean' },
  out: { type: 'string' },
  from: { type: 'string' },
};

/** Returns the parts of a list, all of which must be among `known`; `known` itself without a list. */
function choose(text, known, name) {
  if (!text) return known;
  const chosen = text.split(',');
  const wrong = chosen.filter((one) => !known.includes(one));
  if (wrong.length > 0) fail(`--${name} takes ${known.join(', ')}, not ${wrong}`);
  return known.filter((one) => chosen.includes(one));
}

function numbers(text, name, least) {
  const values = text.split(',').map(Number);
  if (!values.every((n) => Number.isInteger(n) && n >= least)) {
    fail(`--${name} takes whole numbers from ${least} on, not ${text}`);
  }
  return values;
}

function readOptions(args) {
  let values;
  try {
    ({ values } = parseArgs({ args, options: OPTIONS }));
  } catch (error) {
    fail(`${error.message}\nOptions with --cluster: --${Object.keys(OPTIONS).join(', --')}`);
  }
  const { quick, profile } = values;
  const usual = contestants.filter(({ also }) => !also).map(({ id }) => id);
  const all = contestants.map(({ id }) => id);
  const ids = values.contestants ? choose(values.contestants, all, 'contestants') : usual;
  if (ids.includes('other') !== Boolean(values.root)) fail('--root is the folder of `other`');
  const limitAt = values['limit-at'] || (quick ? 'none' : String(LIMIT_AT));
  const whole = !quick && !profile && !values.members && !values.clients && !values.contestants;
  return {
    sizes: (values.members ? numbers(values.members, 'members', 6) : SIZES).sort((a, b) => a - b),
    clients: choose(values.clients, Object.keys(CLIENTS), 'clients'),
    rounds: numbers(values.rounds || (quick ? '1' : '3'), 'rounds', 1)[0],
    limit: { p99: 250, seconds: quick ? 1 : 3, cores: os.cpus().length },
    limitAt: limitAt === 'none' ? [] : numbers(limitAt, 'limit-at', 1),
    quick,
    profile,
    chosen: contestants
      .filter(({ id }) => ids.includes(id))
      .map((one) => (one.id === 'other' ? { ...one, plugin: path.resolve(values.root) } : one)),
    out: path.resolve(values.out || (whole ? path.join(root, 'docs') : RESULTS)),
    from: values.from,
    // Without folders, which are ones of this machine.
    command: ['npm run bench -- --cluster', ...args].join(' ').replace(/ --(out|root)[ =]\S+/g, ''),
  };
}

/** Before all else, to the first that connect. */
const warmUpOf = (sizes, quick) => ({
  size: Math.min(30, ...sizes),
  // V8 compiles what runs once for each push after some 5,000 of them; docs/PERFORMANCE.md has the figures.
  count: quick ? 100 : 6000,
  rate: 400,
});

/** How many pushes, and how fast: so that all keep up with ease, 0.0.7 and compression too. */
function plan(size, quick) {
  const rate = Math.min(200, Math.max(1, size < 1000 ? Math.round(9000 / size) : 10000 / size));
  return {
    rate,
    // V8 compiles some of 0.0.7's code for long lists after 200 to 300 pushes only.
    warmUp: Math.round(quick ? rate / 2 : rate * 24) || 1,
    count: Math.round(rate * (quick ? 1 : 4)) || 1,
    changes: quick ? 6 : 20,
    idle: quick ? 1 : 2,
  };
}

async function measure(options, save) {
  const { sizes, clients, rounds, quick, chosen, limit, command } = options;
  const { runRound } = require('./round');
  const { measureFloor } = require('./floor');
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
    clients,
    rounds,
    limit,
    warmUp: warmUpOf(sizes, quick),
    plans: Object.fromEntries(sizes.map((size) => [size, plan(size, quick)])),
    contestants: chosen.map(({ id }) => id),
    // Of what else ran on the machine.
    load: os.loadavg()[0],
    records: [],
  };
  const floors = [];
  for (let round = 0; round < rounds; round += 1) {
    floors.push(await measureFloor(FLOOR_SOCKETS));
    run.floor = {
      sockets: FLOOR_SOCKETS,
      send: median(floors.map(({ send }) => send)),
      write: median(floors.map(({ write }) => write)),
    };
    // Each begins as often as the others.
    const turn = round % chosen.length;
    const order = [...chosen.slice(turn), ...chosen.slice(0, turn)];
    for (const kind of clients) {
      for (const { id, plugin = root, options: own } of order) {
        const planned = (size) => ({
          ...run.plans[size],
          limit: options.limitAt.includes(size) && limit,
          profiles: options.profile && profileName(round, kind, id, size),
        });
        const { warmUp } = run;
        const onSize = (size, figures) => {
          run.records.push({ round, contestant: id, clients: kind, size, ...figures });
          show(run.records.at(-1), rounds);
        };
        await runRound({ plugin, options: own }, kind, sizes, planned, { warmUp, onSize });
        save(run);
      }
    }
  }
  return run;
}

function profileName(round, ...parts) {
  const folder = path.join(RESULTS, 'profiles');
  fs.mkdirSync(folder, { recursive: true });
  return path.join(folder, [`round-${round + 1}`, ...parts].join('-'));
}

function show({ round, contestant, clients, size, last, cpu, highest }, rounds) {
  const columns = [
    `round ${round + 1}/${rounds}`,
    `${String(size).padStart(4)} ${clients.padEnd(7)}`,
    contestant.padEnd(6),
    `last client ${median(last).toFixed(1).padStart(6)} ms`,
    ...['connectors', 'chat', 'redis', 'clients'].map(
      (name) => `${name} ${cpu[name].toFixed(2)} ms`,
    ),
    ...(highest ? [`highest rate ${highest.toFixed(1)}/s`] : []),
  ];
  console.log(columns.join('  '));
}

async function writeReport(run, folder) {
  const prettier = require('prettier');
  const { document } = require('./report');
  const { draw } = require('./chart');
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'benchmark-cluster.md');
  fs.writeFileSync(file, await prettier.format(document(run), { parser: 'markdown' }));
  fs.writeFileSync(path.join(folder, 'benchmark-cluster.svg'), draw(run));
  console.log(`\nReport: ${path.relative(process.cwd(), file)}, with its chart`);
}

async function main(args) {
  if (process.platform !== 'linux') fail('The real-cluster benchmark reads /proc: Linux only.');
  const options = readOptions(args);
  const kept = path.join(RESULTS, 'cluster.json');
  fs.mkdirSync(RESULTS, { recursive: true });
  const save = (run) => fs.writeFileSync(kept, JSON.stringify(run));
  // The chart's, and those whose versions machine.js tells.
  ensurePackages(BENCHMARK);
  const run = options.from
    ? JSON.parse(fs.readFileSync(options.from, 'utf8'))
    : await measure(options, save);
  const { cellTable, cells, floorTable, goalsTable, sharesTable } = require('./report');
  for (const cell of cells(run)) console.log(`\n${cellTable(run, cell)}`);
  console.log(`\n${floorTable(run)}\n\n${sharesTable(run)}\n\n${goalsTable(run)}`);
  await writeReport(run, options.out);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
