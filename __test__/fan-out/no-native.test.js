'use strict';

/**
 * Where the addon has no native call, as on Windows, all get the same bytes by `socket.write`.
 */

const assert = require('node:assert');
const { describe, it } = require('node:test');

// Before anything that uses it is loaded.
require('../../lib/native').sendToAll = undefined;

const { until } = require('../support/until');
const { Frontend } = require('./hybrid');

for (const framework of ['pomelo', 'pinus']) {
  describe(`without the native call, in ${framework}`, () => {
    it('every client gets each message, in order', { timeout: 60000 }, async () => {
      const frontend = await new Frontend(framework).start();
      try {
        const clients = [];
        for (const kind of ['plain', 'deflate', 'plain']) clients.push(await frontend.join(kind));
        const bodies = Array.from({ length: 20 }, (_, i) => String(i).padEnd(i * 500, 'x'));
        for (const body of bodies) await frontend.push(clients, body);
        for (const client of clients) {
          await until(() => client.bodies.length === bodies.length, 'all messages');
          assert.deepStrictEqual(client.bodies, bodies);
        }
        const { native, shared } = frontend.counts;
        assert.strictEqual(native, 0);
        assert.ok(shared >= 2 * bodies.length, `${shared}`);
      } finally {
        frontend.stop();
      }
    });
  });
}
