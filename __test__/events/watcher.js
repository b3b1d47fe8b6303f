'use strict';

/**
 * A process that watches: `node watcher.js OPTIONS NAMES`, as JSON. It sends 'there' when it has begun, and `[event, told]` for each
 * event; to each message it answers `{stats, text}`: its `stats().events`, and its metrics.
 */

const { once } = require('events');
const { fork } = require('child_process');
const { ok } = require('../support/call');
const { create } = require('../support/service');

/** Starts one that has begun: `{child, log, ask(), end()}`. */
async function startWatcher(options, names) {
  const child = fork(
    __filename,
    [options, names].map((arg) => JSON.stringify(arg)),
  );
  const ended = once(child, 'exit');
  const isLost = ended.then(([code, signal]) => {
    throw new Error(`the watcher has ended with ${code || signal}`);
  });
  isLost.catch(() => {});
  await Promise.race([once(child, 'message'), isLost]);
  const log = [];
  const answers = [];
  child.on('message', (message) => {
    if (Array.isArray(message)) log.push(message);
    else answers.shift()(message);
  });
  const ask = () => {
    const answer = new Promise((resolve) => answers.push(resolve));
    child.send('stats');
    return Promise.race([answer, isLost]);
  };
  // Also one that is stopped.
  const end = () => child.kill('SIGKILL') && ended;
  return { child, log, ask, end };
}

async function main([options, names]) {
  process.on('disconnect', () => process.exit());
  const service = create(options);
  await ok(service, 'start');
  const watch = service.watch(names);
  watch.once('gap', () => process.send('there'));
  for (const event of ['join', 'leave']) {
    watch.on(event, (told) => process.send([event, told]));
  }
  process.on('message', () => {
    process.send({ stats: service.stats().events, text: service.metricsText() });
  });
}

if (require.main === module) main(process.argv.slice(2).map((text) => JSON.parse(text)));

module.exports = { startWatcher };
