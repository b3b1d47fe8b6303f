'use strict';
/**
 * What a connector cannot do better than: CPU time to give the bytes of one push to its clients, by
 * `send()` in C (floor.c) and by Node's `socket.write` of one buffer. No pomelo, no WebSocket.
 */

const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');
const { setTimeout: pause } = require('node:timers/promises');
const { cpuTime } = require('./cpu');
const { compile } = require('./native');

const LOOPBACK = '127.0.0.1';
const PUSHES = 60;
const INTERVAL = 20;
/** A frame with the benchmark's message. */
const BYTES = 70;

const bySend = (program, sockets) =>
  Number(
    execFileSync(program, ['send', sockets, BYTES, PUSHES, INTERVAL].map(String), {
      encoding: 'utf8',
    }),
  );

async function byWrite(program, count) {
  const sockets = [];
  const server = net.createServer({ noDelay: true }, (socket) => sockets.push(socket));
  await once(server.listen(0, LOOPBACK, count), 'listening');
  const reader = spawn(program, ['read', server.address().port, count].map(String));
  const ended = once(reader, 'exit');
  while (sockets.length < count) await pause(10);
  const frame = Buffer.alloc(BYTES);
  const push = async () => {
    for (const socket of sockets) socket.write(frame);
    await pause(INTERVAL);
  };
  // Until V8 has compiled it.
  for (let i = 0; i < PUSHES; i += 1) await push();
  const before = cpuTime(process.pid);
  for (let i = 0; i < PUSHES; i += 1) await push();
  const spent = (cpuTime(process.pid) - before) * 1000;
  for (const socket of sockets) socket.destroy();
  server.close();
  await ended;
  return spent / PUSHES;
}

/** Measures the CPU time of a push to this number of sockets, in µs. */
async function measureFloor(sockets) {
  const program = compile('floor');
  return { sockets, send: bySend(program, sockets), write: await byWrite(program, sockets) };
}

module.exports = { measureFloor };
