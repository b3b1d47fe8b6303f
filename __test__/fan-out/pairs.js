'use strict';
/** Connections within this process, each with both of its ends. */

const net = require('node:net');
const { until } = require('../support/until');

const HOST = '127.0.0.1';

class Pairs {
  constructor() {
    this.all = [];
    this.accepted = new Map();
    this.server = net.createServer((socket) => {
      socket.on('error', () => {});
      this.accepted.set(socket.remotePort, socket);
    });
  }

  listen() {
    return new Promise((resolve) => this.server.listen(0, HOST, resolve));
  }

  /** `{server, client}`; what has come to the client is its `text`. */
  async one() {
    const client = net.connect(this.server.address().port, HOST);
    const chunks = [];
    client.on('data', (chunk) => chunks.push(chunk));
    client.on('end', () => (client.ended = true));
    client.on('error', () => {});
    Object.defineProperty(client, 'text', { get: () => Buffer.concat(chunks).toString('latin1') });
    await until(() => this.accepted.has(client.localPort), 'a connection');
    const pair = { client, server: this.accepted.get(client.localPort) };
    this.accepted.delete(client.localPort);
    this.all.push(pair);
    return pair;
  }

  open(count) {
    return Promise.all(Array.from({ length: count }, () => this.one()));
  }

  end() {
    for (const { client, server } of this.all) {
      client.destroy();
      server.destroy();
    }
    this.all = [];
  }

  close() {
    this.end();
    this.server.close();
  }
}

module.exports = { Pairs };
