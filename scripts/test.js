'use strict';
/**
 * `npm test`: runs all stages, three at a time. `npm test -- NAME …` runs only these stages or groups of stages (stages.js), and
 * what they need.
 * A stage that passes prints one line when it ends; its output and the package's log go to a file. For a stage that fails,
 * its failed tests and the end of that file are printed, and the other stages still run. The last line is
 * `N passed, N failed`. setup.js has installed what the stages need.
 */
require('./lib/end-with-parent');
const { fork } = require('node:child_process');
const { EventEmitter, once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./lib/process');
const { stages, groups, jobs } = require('./stages');

const LOGS = process.env.TEST_LOGS || path.join(root, 'target/test-logs');
/** How much of a stage that failed is printed; its log has everything. */
const MOST = { failures: 20, lines: 60, tail: 30 };

const logOf = (name) => path.join(LOGS, `${name}.log`);
const shown = (file) => path.relative(process.cwd(), file);
const indented = (lines) => lines.map((line) => `    ${line}`.trimEnd()).join('\n');

function chosen(names) {
  const known = {
    ...groups,
    ...Object.fromEntries(Object.keys(stages).map((name) => [name, [name]])),
  };
  const unknown = names.filter((name) => !Object.hasOwn(known, name));
  if (unknown.length > 0) {
    console.error(`No stage ${unknown.join(', ')}. Stages: ${Object.keys(known).join(', ')}`);
    process.exit(2);
  }
  const wanted = (names.length > 0 ? names : ['all']).flatMap((name) => known[name]);
  const withNeeds = (name) => (name ? [...withNeeds(stages[name].needs), name] : []);
  const all = new Set(wanted.flatMap(withNeeds));
  return Object.keys(stages).filter((name) => all.has(name));
}

/** Runs a stage in a child process whose output goes to the log. */
async function runStage(name) {
  const log = fs.openSync(logOf(name), 'w');
  const child = fork(path.join(__dirname, 'stages.js'), [name], {
    cwd: root,
    stdio: ['ignore', log, log, 'ipc'],
  });
  fs.closeSync(log);
  const start = Date.now();
  const seconds = () => (Date.now() - start) / 1000;
  const hide = progress.show(() => `${name} ${seconds().toFixed(0)} s …`);
  const result = await new Promise((resolve) => {
    let answer;
    child.on('message', (message) => (answer = message));
    // Without a message it was killed or threw: the log says which.
    child.on('close', () => resolve(answer || { passed: 0, failed: 1 }));
  });
  hide();
  return { name, skipped: 0, failures: [], ...result, seconds: seconds() };
}

/** On a terminal, a line that is updated every second: what runs. */
const progress = {
  texts: new Set(),

  /** Adds a text to the line. Returns a function that takes it away, and clears the line for what is printed next. */
  show(text) {
    this.texts.add(text);
    const timer = setInterval(() => this.draw(), 1000);
    this.draw();
    return () => {
      clearInterval(timer);
      this.texts.delete(text);
      if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
    };
  },

  draw() {
    if (!process.stdout.isTTY) return;
    process.stdout.write(`\r\x1b[K${[...this.texts].map((text) => text()).join('  ')}`);
  },
};

/**
 * Runs stages in their order: one that compiles, because cargo's folder is for one at a time, and two others. One whose need has
 * not ended is passed over until then. Resolves to the results.
 */
async function runStages(names) {
  const done = [];
  const ends = new EventEmitter();
  const resultOf = (name) => done.find((result) => result.name === name);
  const isReady = (name) => !stages[name].needs || resultOf(stages[name].needs);
  const compiling = names.filter((name) => stages[name].compiles);
  const others = names.filter((name) => !stages[name].compiles);
  const run = async (queue) => {
    while (queue.length > 0) {
      const at = queue.findIndex(isReady);
      if (at < 0) {
        await once(ends, 'stage');
        continue;
      }
      const [name] = queue.splice(at, 1);
      const need = resultOf(stages[name].needs);
      done.push(need && need.failed > 0 ? notRun(name) : await runStage(name));
      report(done.at(-1));
      ends.emit('stage');
    }
  };
  await Promise.all([run(compiling), run(others), run(others)]);
  return done;
}

/** The result of a stage whose need has failed. */
function notRun(name) {
  const text = `It needs ${stages[name].needs}, which failed.`;
  fs.writeFileSync(logOf(name), `${text}\n`);
  const failures = [{ title: `${name} was not run`, text }];
  return { name, passed: 0, failed: 1, skipped: 0, failures, seconds: 0 };
}

function report({ name, passed, failed, skipped, failures, seconds, cpu }) {
  const columns = [name.padEnd(16), `${seconds.toFixed(1)} s`.padStart(9)];
  if (cpu !== undefined) columns.push(`CPU ${cpu.toFixed(0)} s`.padStart(9));
  columns.push(`${passed} passed`.padStart(11));
  if (skipped > 0) columns.push(`${skipped} skipped`);
  if (failed > 0) columns.push(`${failed} FAILED`);
  console.log(columns.join('  '));
  if (failed === 0) return;
  for (const { title, text } of failures.slice(0, MOST.failures)) {
    const lines = text.split('\n');
    console.log(`\n  ✖ ${title}\n${indented(lines.slice(0, MOST.lines))}`);
    if (lines.length > MOST.lines) console.log(`    … ${lines.length - MOST.lines} lines more`);
  }
  const more = failures.length - MOST.failures;
  if (more > 0) console.log(`\n  … ${more} failures more`);
  const log = fs.readFileSync(logOf(name), 'utf8').trimEnd().split('\n');
  console.log(`\n  The end of ${shown(logOf(name))}:\n${indented(log.slice(-MOST.tail))}\n`);
}

function summarise(done) {
  const sum = (key) => done.reduce((total, result) => total + result[key], 0);
  const bad = done.filter(({ failed }) => failed > 0);
  if (bad.length > 0) {
    console.log('\nFailed:');
    for (const { name, failures } of bad) {
      console.log(`  ${name.padEnd(12)} ${shown(logOf(name))}`);
      for (const { title } of failures.slice(0, MOST.failures)) console.log(`    ✖ ${title}`);
    }
    console.log(`Only these: npm test -- ${bad.map(({ name }) => name).join(' ')}`);
    process.exitCode = 1;
  }
  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed`);
}

async function main(names) {
  if (names.includes('--jobs')) {
    console.log(JSON.stringify(jobs));
    return;
  }
  fs.mkdirSync(LOGS, { recursive: true });
  summarise(await runStages(chosen(names)));
}

main(process.argv.slice(2));
