'use strict';
/**
 * What option `events` costs in the embedded store: calls of `add` without it, with it, and with it and a watch of all channels in
 * the same process, taking turns.
 *
 *   node benchmark/events.js [--adds N] [--rounds N] [--folder PATH]
 *
 * Prints medians: calls per second, and CPU time of the process for a call. The first call of each channel looks at it on
 * 20 frontends; `--folder` (that of temporary files) matters for durability 'os', which waits for its disk.
 */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { call, ok } = require('../__test__/support/call');
const { create } = require('../__test__/support/service');
const { logged } = require('../__test__/support/log');

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : otherwise;
};

const ADDS = Number(option('adds', 40000));
const ROUNDS = Number(option('rounds', 7));
const FOLDER = option('folder', os.tmpdir());
const CHANNELS = 1000;
const FRONTENDS = 20;

/** Durability, and how many calls are in flight. */
const CASES = [
  ['process', 1],
  ['process', 512],
  ['os', 512],
];
const CONTESTANTS = { without: {}, events: { events: true }, watched: { events: true } };

/** Makes so many calls, `depth` at a time. */
function add(service, count, depth) {
  return new Promise((resolve, reject) => {
    let [begun, answered] = [0, 0];
    const next = () => {
      if (begun === count) return;
      const n = begun;
      begun += 1;
      const sid = `connector-${Math.floor(n / CHANNELS) % FRONTENDS}`;
      service.add(`room-${n % CHANNELS}`, `user-${n}`, sid, (err) => {
        if (err) reject(err);
        answered += 1;
        if (answered === count) resolve();
        next();
      });
    };
    for (let n = 0; n < depth; n += 1) next();
  });
}

async function measure(name, durability, depth, count) {
  const folder = fs.mkdtempSync(path.join(FOLDER, 'events-'));
  const options = { store: 'embedded', path: folder, durability, ...CONTESTANTS[name] };
  const service = create(options);
  await ok(service, 'start');
  if (name === 'watched') {
    const watch = service.watch({ prefix: '' });
    await new Promise((resolve) => watch.once('gap', resolve));
  }
  const [cpu, began] = [process.cpuUsage(), process.hrtime.bigint()];
  await add(service, count, depth);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const { user, system } = process.cpuUsage(cpu);
  await call(service, 'stop', true);
  fs.rmSync(folder, { recursive: true });
  return { rate: count / seconds, cpu: (user + system) / count };
}

const median = (all) => all.sort((a, b) => a - b)[all.length >> 1];

async function main() {
  for (const [durability, depth] of CASES) {
    const found = Object.keys(CONTESTANTS).map((name) => [name, []]);
    for (let n = 0; n < ROUNDS; n += 1) {
      for (const [name, all] of found) {
        all.push(await measure(name, durability, depth, depth === 1 ? ADDS / 4 : ADDS));
      }
    }
    for (const [name, all] of found) {
      const rate = Math.round(median(all.map((each) => each.rate)));
      const cpu = median(all.map((each) => each.cpu)).toFixed(1);
      process.stdout.write(
        `${durability}, ${depth} in flight, ${name}: ${rate} per second, ${cpu} us of CPU\n`,
      );
    }
  }
}

// Without the warnings about frontends that the app does not have.
logged(main);
