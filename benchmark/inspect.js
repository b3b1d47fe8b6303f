'use strict';
/**
 * How long the views of the inspector take on a private Redis with a million members in 10,000 channels (40,000 keys), as its page
 * asks for them: time until the first byte and in all, the longest command in Redis, and the longest delay of the event loop
 * of the inspector's process.
 *
 *   node benchmark/inspect.js [--channels N] [--rounds N]
 *
 * Prints medians of the rounds. A view that the page reads in several steps is read to its end; the times are those of its slowest step.
 */

const http = require('node:http');
const { once } = require('node:events');
const { monitorEventLoopDelay } = require('node:perf_hooks');

if (require.main === module) main();
else watchEventLoop();

/** In the process of the inspector, which loads this file first: prints the longest delay since the last time it was asked. */
function watchEventLoop() {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  process.on('SIGUSR2', () => {
    process.stderr.write(`delay ${delays.max / 1e6}\n`);
    delays.reset();
  });
}

async function main() {
  const { Inspector } = require('../__test__/support/inspector');
  const { fill } = require('../__test__/support/large-store');
  const redisServer = require('../__test__/support/redis');
  const { until } = require('../__test__/support/until');

  const option = (name, otherwise) => {
    const at = process.argv.indexOf(`--${name}`);
    return at > 0 ? Number(process.argv[at + 1]) : otherwise;
  };
  const [channels, rounds] = [option('channels', 10000), option('rounds', 5)];
  const views = [
    ['overview'],
    ['frontends'],
    ['channels'],
    ['channels', { match: 'room-77' }],
    ['members', { name: 'room-77' }],
    ['whois', { uid: 'user-5' }],
    ['problems'],
  ];

  const redis = await redisServer.start();
  await redis.run(0, 'config', 'set', 'latency-tracking-info-percentiles', '100');
  await fill(redis.port, 0, channels);
  process.env.NODE_OPTIONS = `--require=${__filename}`;
  const inspector = await Inspector.start(`redis://127.0.0.1:${redis.port}/0`);
  delete process.env.NODE_OPTIONS;
  try {
    for (const [view, parameters] of views) {
      const found = [];
      for (let round = 0; round < rounds; round += 1) found.push(await look(view, parameters));
      const of = (name) => found.map((each) => each[name]).sort((a, b) => a - b)[rounds >> 1];
      const title = [view, ...Object.values(parameters || {})].join(' ');
      const ms = (name) => of(name).toFixed(2);
      process.stdout.write(
        `${title}: ${of('steps')} steps, first byte ${ms('first')} ms, all ${ms('all')} ms, ` +
          `longest command ${ms('command')} ms, event loop ${ms('delay')} ms\n`,
      );
    }
  } finally {
    await inspector.stop();
    await redis.stop();
  }

  /** Reads a view to its end. */
  async function look(view, parameters) {
    await redis.run(0, 'config', 'resetstat');
    await delay();
    const most = { steps: 0, first: 0, all: 0 };
    let cursor = null;
    do {
      const step = await ask(view, cursor === null ? parameters : { ...parameters, cursor });
      most.steps += 1;
      for (const name of ['first', 'all']) most[name] = Math.max(most[name], step[name]);
      ({ cursor } = step.told);
    } while (cursor);
    most.delay = await delay();
    const info = String(await redis.run(0, 'info', 'latencystats'));
    const longest = [...info.matchAll(/^latency_percentiles_usec_(?!config)\S+:p100=(\S+)/gm)];
    most.command = Math.max(...longest.map(([, micros]) => Number(micros))) / 1000;
    return most;
  }

  async function delay() {
    const { printed, child } = inspector;
    const { length } = printed.stderr;
    child.kill('SIGUSR2');
    await until(() => printed.stderr.endsWith('\n') && printed.stderr.length > length, 'the delay');
    return Number(/delay (\S+)\n$/.exec(printed.stderr)[1]);
  }

  async function ask(view, parameters) {
    const path = `${inspector.path}api/${view}?${new URLSearchParams(parameters)}`;
    const began = performance.now();
    const request = http.get({ host: '127.0.0.1', port: inspector.port, path, agent: false });
    const [response] = await once(request, 'response');
    const first = performance.now() - began;
    let body = '';
    for await (const chunk of response.setEncoding('utf8')) body += chunk;
    if (response.statusCode !== 200) throw new Error(`${view}: ${response.statusCode} ${body}`);
    return { first, all: performance.now() - began, told: JSON.parse(body) };
  }
}
