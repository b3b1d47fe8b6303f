'use strict';
/**
 * What the fan-out of one frontend costs, without the RPC: two builds, or one, send in turn to the same sockets.
 *
 *   node benchmark/fan-out.js [--sizes 10,100,333] [--pushes N] [--interval MS] [--framework pomelo|pinus]
 *                             [--clients plain|deflate] [--root FOLDER]
 *
 * Each build pushes `--pushes` (300) times, one push every `--interval` (8) ms. The clients are in this process, and read
 * between the pushes. Shown is the CPU time of one push in µs, system calls included: lower decile and median.
 * `--root` measures another build of the package beside this one. The first rounds, until V8 has compiled it, do not count.
 */

const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { Frontend } = require('../__test__/fan-out/hybrid');

const argument = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : otherwise;
};

const SIZES = argument('sizes', '10,100,333').split(',').map(Number);
const PUSHES = Number(argument('pushes', 300));
const INTERVAL = Number(argument('interval', 8));
const HERE = path.join(__dirname, '..');
const ROOTS = [HERE, ...(argument('root') ? [path.resolve(argument('root'))] : [])];
const WARM_UP = 200;
/** The benchmark's message in a cluster has about as many bytes. */
const MESSAGE = Buffer.alloc(60, 'x');

const at = (sorted, part) => Math.round(sorted[Math.floor(sorted.length * part)]);

function timed(scheduler, ids) {
  const before = process.cpuUsage();
  scheduler.schedule(null, 'onChat', MESSAGE, ids, { type: 'push' });
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

async function measure(schedulers, ids) {
  const all = schedulers.map(() => []);
  for (let i = 0; i < WARM_UP + PUSHES; i += 1) {
    for (let k = 0; k < schedulers.length; k += 1) {
      const turn = (i + k) % schedulers.length;
      await pause(INTERVAL);
      const spent = timed(schedulers[turn], ids);
      if (i >= WARM_UP) all[turn].push(spent);
    }
  }
  return all.map((list) => list.sort((a, b) => a - b));
}

async function main() {
  const frontend = await new Frontend(argument('framework', 'pomelo')).start();
  const ids = [];
  for (const size of SIZES.sort((a, b) => a - b)) {
    while (ids.length < size) {
      ids.push((await frontend.join(argument('clients', 'plain'))).session.id);
    }
    const schedulers = ROOTS.map((root) => {
      const { FanOutPushScheduler } = require(root);
      return new FanOutPushScheduler(frontend.app, {});
    });
    const results = await measure(schedulers, ids);
    results.forEach((list, i) =>
      console.log(`${size} sockets, ${ROOTS[i]}: ${at(list, 0.1)}, median ${at(list, 0.5)}`),
    );
  }
  frontend.stop();
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
