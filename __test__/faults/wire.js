'use strict';

/**
 * Servers on loopback that are no Redis, or stand between the service and one: what they do with
 * each connection and each byte is scripted by the test. The real server is support/redis.js.
 */

const net = require('net');
const { once } = require('events');

/**
 * Calls `accept(socket, number)` for each connection. `times` are the arrivals (ms), `open` the
 * sockets that are still open.
 */
async function listen(accept) {
  const wire = { times: [], open: new Set() };
  const server = net.createServer((socket) => {
    wire.times.push(performance.now());
    wire.open.add(socket);
    socket.on('error', () => {}).on('close', () => wire.open.delete(socket));
    // Or the end would never be heard of where nobody reads.
    socket.resume();
    accept(socket, wire.times.length);
  });
  server.listen(0, '127.0.0.1');
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
 * are `(chunk, link) => chunk to pass on, or nothing`; `link` is `{client, server, number}`.
 */
async function proxy(port) {
  const links = [];
  const wire = await listen((client, number) => {
    const server = net.connect(port, '127.0.0.1');
    const link = { client, server, number };
    links.push(link);
    const pass = (from, to, filter) => {
      from.on('error', () => {});
      from.on('data', (chunk) => {
        const passed = wire[filter] ? wire[filter](chunk, link) : chunk;
        if (passed && !to.destroyed) to.write(passed);
      });
      from.on('close', () => link.held || to.destroy());
    };
    pass(client, server, 'toServer');
    pass(server, client, 'toClient');
  });
  const close = wire.close;
  wire.links = links;
  wire.close = () => {
    for (const { server } of links) server.destroy();
    return close();
  };
  return wire;
}

module.exports = { listen, proxy };
