'use strict';

/**
 * Servers on loopback that are not Redis, or proxies between the service and Redis: the test scripts what they do with each
 * connection and each byte. The real server is in support/redis.js.
 */

const net = require('net');
const { once } = require('events');

/**
 * Calls `accept(socket, number)` for each connection. `times` are the arrivals (ms), `open` the
 * sockets that are still open. It listens on a free port of `host`, or on `port`.
 */
async function listen(accept, { host = '127.0.0.1', port = 0 } = {}) {
  const wire = { times: [], open: new Set() };
  const server = net.createServer((socket) => {
    wire.times.push(performance.now());
    wire.open.add(socket);
    socket.on('error', () => {}).on('close', () => wire.open.delete(socket));
    // Otherwise the end would not be noticed without a reader.
    socket.resume();
    accept(socket, wire.times.length);
  });
  server.listen(port, host);
  await once(server, 'listening');
  wire.port = server.address().port;
  wire.close = () => {
    for (const socket of wire.open) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  return wire;
}

/**
 * A proxy in front of `port`. `wire.toServer` and `wire.toClient`, which may be set at any time,
 * are `(chunk, link) => chunk to pass on, or nothing`; `link` is `{client, server, number}`. With
 * another `wire.target` new connections go to that port, and those that there are stay where they are.
 */
async function proxy(port, options) {
  const links = [];
  const wire = await listen((client, number) => {
    const server = net.connect(wire.target, '127.0.0.1');
    const link = { client, server, number };
    links.push(link);
    const pass = (from, to, filter) => {
      from.on('error', () => {});
      from.on('data', (chunk) => {
        const passed = wire[filter] ? wire[filter](chunk, link) : chunk;
        if (!passed || to.destroyed) return;
        // What is held back must not be overtaken.
        if (isHolding(to)) later(to, passed, 0);
        else to.write(passed);
      });
      from.on('close', () => link.held || to.destroy());
    };
    pass(client, server, 'toServer');
    pass(server, client, 'toClient');
  }, options);
  const close = wire.close;
  wire.links = links;
  wire.target = port;
  /** Whether something is held back yet, by `throttle` or `delay`. */
  wire.holds = () => links.some(({ client, server }) => isHolding(client) || isHolding(server));
  wire.close = () => {
    for (const { server } of links) server.destroy();
    return close();
  };
  return wire;
}

/** `wire` carries so many bytes per second from now on, to the client, on each connection. */
function throttle(wire, bytesPerSecond) {
  // A chunk waits until those before it are through, and for its own time.
  const through = new WeakMap();
  wire.toClient = (chunk, link) => {
    // In pieces of 20 ms, or all would come at once, late.
    const size = Math.max(1, Math.floor(bytesPerSecond / 50));
    for (let at = 0; at < chunk.length; at += size) {
      const piece = chunk.subarray(at, at + size);
      const free = Math.max(through.get(link) || 0, performance.now());
      const due = free + (1000 * piece.length) / bytesPerSecond;
      through.set(link, due);
      later(link.client, piece, due);
    }
  };
}

/** Each chunk of `wire` takes so long, either way; none overtakes another. */
function delay(wire, draw) {
  const last = new WeakMap();
  const hold = (socket, chunk) => {
    const due = Math.max(last.get(socket) || 0, performance.now() + draw());
    last.set(socket, due);
    later(socket, chunk, due);
  };
  wire.toClient = (chunk, { client }) => hold(client, chunk);
  wire.toServer = (chunk, { server }) => hold(server, chunk);
}

const isHolding = (socket) => !socket.destroyed && (socket.laterQueue || []).length > 0;

/** Written when it is due. Timers of one time keep their order, and those of another come later. */
function later(socket, chunk, due) {
  const queue = (socket.laterQueue = socket.laterQueue || []);
  queue.push([due, chunk]);
  if (queue.length > 1) return;
  const next = () => {
    const now = performance.now();
    while (queue.length && queue[0][0] <= now + 1) {
      const [, piece] = queue.shift();
      if (!socket.destroyed) socket.write(piece);
    }
    if (queue.length) setTimeout(next, Math.max(1, queue[0][0] - now));
  };
  setTimeout(next, Math.max(1, due - performance.now()));
}

module.exports = { listen, proxy, throttle, delay };
