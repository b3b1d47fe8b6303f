'use strict';

/**
 * A process that changes channels at random: `node writer.js OPTIONS COUNT NAMES SIDS`, the options of the service, the names
 * and the frontends as JSON. Ends when all of COUNT calls are answered.
 */

const { once } = require('events');
const { spawn } = require('child_process');
const { call } = require('../support/call');
const { create } = require('../support/service');

const UIDS = Array.from({ length: 6 }, (_, n) => `u${n}`);

const any = (list) => list[Math.floor(Math.random() * list.length)];

/** Makes `count` calls, a few at a time. Errors of the store do not count: what it has done is what matters. */
async function change(service, count, names, sids) {
  for (let left = count; left > 0; left -= 8) {
    const calls = Array.from({ length: Math.min(left, 8) }, () => step(service, names, sids));
    await Promise.all(calls);
  }
}

function step(service, names, sids) {
  const [name, sid, uids] = [any(names), any(sids), [any(UIDS), any(UIDS)]];
  const turn = Math.random();
  if (turn < 0.5) return call(service, 'add', name, uids, sid);
  if (turn < 0.9) return call(service, 'leave', name, uids, sid);
  if (turn < 0.95) return call(service, 'leave', name, uids[0], null);
  return call(service, 'destroyChannel', name);
}

/** Starts such a process. `ended` resolves when it has ended, and fails if it has ended by itself with an error. */
function startWriter(options, count, names, sids) {
  const args = [options, count, names, sids].map((arg) => JSON.stringify(arg));
  const child = spawn(process.execPath, [__filename, ...args], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr.on('data', (chunk) => (words += chunk));
  const ended = once(child, 'exit').then(([code, signal]) => {
    if (code !== 0 && !signal) throw new Error(`the writer ended with ${code}: ${words}`);
  });
  return { child, ended };
}

/** Runs such a process; resolves when it has ended. */
const writer = (...args) => startWriter(...args).ended;

/** `service` and two processes with these options change the channels at the same time, with `count` calls each. */
const changeTogether = (service, options, count, names, sids) =>
  Promise.all([
    writer(options, count, names, sids),
    writer(options, count, names, sids),
    change(service, count, names, sids),
  ]);

async function main([options, count, names, sids]) {
  const service = create(options);
  const { err } = await call(service, 'start');
  if (err) throw err;
  await change(service, count, names, sids);
  await call(service, 'stop', true);
}

if (require.main === module) main(process.argv.slice(2).map((text) => JSON.parse(text)));

module.exports = { change, changeTogether, startWriter };
