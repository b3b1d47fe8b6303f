'use strict';
/**
 * What `membership: 'session'` costs an `add` and a `leave`: a service with it and one without, on one private Redis, in turn.
 *
 *   node benchmark/membership.js [--rounds N] [--calls N] [--in-flight N] [--root FOLDER]
 *
 * Each round makes `--calls` (60,000) adds and then as many leaves with each service, all of which change something, with
 * `--in-flight` (512) of them at once. Shown are medians of the rounds: calls per second, and CPU time per call of the main
 * thread, of the other threads of the process, and of the server's process. `--root` measures another build of the package beside
 * this one.
 */

const fs = require('node:fs');
const path = require('node:path');
const { createApp } = require('../__test__/support/app');
const redisServer = require('../__test__/support/redis');
const clocks = require('./clocks');
const { channelName, uid } = require('./names');

const argument = (name) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : undefined;
};
const number = (name, otherwise) => Number(argument(name) || otherwise);

const ROUNDS = number('rounds', 15);
const CALLS = number('calls', 60000);
const IN_FLIGHT = number('in-flight', 512);

/** Where the `i`-th member goes. */
const PLACES = {
  'each user to 67 channels, one frontend': (i) => [
    channelName(i % 67),
    uid(Math.floor(i / 67)),
    's1',
  ],
  'one channel each time, another user, one frontend': (i) => [
    channelName((i * 37) % 2003),
    uid(i % 10000),
    's1',
  ],
  'one channel each time, another user, 20 frontends': (i) => [
    channelName((i * 37) % 2003),
    uid(i % 10000),
    `s${i % 20}`,
  ],
};

/** CPU time of the server, in µs. */
const cpuOf = (pid) =>
  Number(fs.readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1000;

/** Makes the calls and resolves to what one of them took. */
function measure({ service, server }, method, place) {
  return new Promise((resolve, reject) => {
    const store = cpuOf(server.process.pid);
    const from = clocks.read();
    let made = 0;
    let answered = 0;
    function answer(err) {
      if (err) reject(err);
      answered += 1;
      if (made < CALLS) next();
      if (answered < CALLS) return;
      const { seconds, mainCpu, processCpu } = clocks.since(from);
      resolve({
        rate: CALLS / seconds,
        main: mainCpu / CALLS,
        others: (processCpu - mainCpu) / CALLS,
        store: (cpuOf(server.process.pid) - store) / CALLS,
      });
    }
    function next() {
      const [name, user, sid] = place(made);
      made += 1;
      service[method](name, user, sid, answer);
    }
    for (let i = 0; i < IN_FLIGHT; i += 1) next();
  });
}

const app = () =>
  createApp({
    servers: Array.from({ length: 20 }, (_, i) => ({
      id: `s${i}`,
      serverType: 'connector',
      frontend: 'true',
    })),
  });

async function startedOf(root, server, opts) {
  const { GlobalChannel } = require(root);
  const service = new GlobalChannel(app(), { host: '127.0.0.1', port: server.port, ...opts });
  await service.promises.start();
  return service;
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

function show(title, rounds, base) {
  const of = (name) => median(rounds.map((round) => round[name])).toFixed(2);
  const ratio = median(rounds.map(({ rate }, i) => rate / base[i].rate)).toFixed(2);
  const rate = Math.round(median(rounds.map((round) => round.rate)) / 1000);
  console.log(
    `  ${title}: ${rate}k/s (${ratio}), µs: main thread ${of('main')}, other threads ${of('others')}, server ${of('store')}`,
  );
}

async function main() {
  const server = await redisServer.start();
  const here = path.join(__dirname, '..');
  const session = { membership: 'session' };
  const rivals = [['persistent', here, { prefix: 'P' }]];
  rivals.push(['session', here, { prefix: 'S', ...session }]);
  const root = argument('root');
  if (root) rivals.push([`session, ${root}`, path.resolve(root), { prefix: 'T', ...session }]);
  const services = [];
  for (const [, from, opts] of rivals) services.push(await startedOf(from, server, opts));
  try {
    for (const [title, place] of Object.entries(PLACES)) {
      const figures = rivals.map(() => ({ add: [], leave: [] }));
      // The first round is a warm-up.
      for (let round = 0; round <= ROUNDS; round += 1) {
        for (const [i, service] of services.entries()) {
          for (const method of ['add', 'leave']) {
            const figure = await measure({ service, server }, method, place);
            if (round > 0) figures[i][method].push(figure);
          }
        }
      }
      console.log(title);
      for (const method of ['add', 'leave']) {
        rivals.forEach(([name], i) => {
          show(`${method}, ${name}`, figures[i][method], figures[0][method]);
        });
      }
    }
  } finally {
    await Promise.all(services.map((service) => service.promises.stop()));
    await server.stop();
  }
}

main();
