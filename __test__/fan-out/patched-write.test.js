'use strict';

/**
 * A tracer or an agent that replaced `write` of all sockets before this package was loaded: it still sees every message.
 */

const assert = require('node:assert');
const net = require('node:net');
const { describe, it } = require('node:test');

// Before anything that uses it is loaded.
const { write } = net.Socket.prototype;
const seen = new Map();
net.Socket.prototype.write = function (...args) {
  if (Buffer.isBuffer(args[0]))
    seen.set(this, Buffer.concat([seen.get(this), args[0]].filter(Boolean)));
  return write.apply(this, args);
};

const { until } = require('../support/until');
const { Frontend } = require('./hybrid');

for (const framework of ['pomelo', 'pinus']) {
  describe(`with another write of all sockets, in ${framework}`, () => {
    it('every message goes through it', { timeout: 60000 }, async () => {
      const frontend = await new Frontend(framework).start();
      try {
        const clients = [await frontend.join('plain'), await frontend.join('plain')];
        for (const body of ['first', 'second']) await frontend.push(clients, body);
        for (const client of clients) {
          await until(() => client.bodies.length === 2, 'both messages');
          assert.deepStrictEqual(client.bodies, ['first', 'second']);
          assert.match(String(seen.get(client.raw)), /first[^]*second/);
        }
        assert.strictEqual(frontend.counts.native, 0);
      } finally {
        frontend.stop();
      }
    });
  });
}
