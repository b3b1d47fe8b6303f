'use strict';

/**
 * Lists with names of Object.prototype that reach a real frontend, as 0.0.7 and the frameworks' own channels send them:
 * with the fan-out the others in the list get the push, and those names are failed uids. `fanOut: false` leaves the
 * framework as it is.
 */

const assert = require('node:assert');
const { after, before, describe, it } = require('node:test');
const { Client } = require('./client');
const { Frontends } = require('./frontends');
const { until } = require('../support/until');

const TIMEOUT = 120000;
const POISON = Object.getOwnPropertyNames(Object.prototype);

for (const framework of ['pomelo', 'pinus']) {
  describe(`uids that are names of Object.prototype, at a frontend of ${framework}`, () => {
    const frontends = new Frontends();
    let pair;

    before(async () => {
      pair = await frontends.pair({ framework });
    });
    after(() => frontends.close());

    /** Pushes to `to` by the framework's own channel service; resolves to what its callback got, or what it threw. */
    async function push(frontend, n, to) {
      await frontend.turn({ do: 'uids', n, to, size: 10 });
      const event = async () => (await frontend.call('events')).find(([number]) => number === n);
      return until(event, `the answer to push ${n}`);
    }

    it(
      'the others in the list get the push; such a uid is failed',
      { timeout: TIMEOUT },
      async () => {
        const clients = [];
        for (const uid of ['alice', 'bob']) {
          const client = new Client({ uid, kind: 'plain', port: pair.on.port });
          clients.push(await pair.on.join(client));
        }
        for (const [n, name] of POISON.entries()) {
          assert.deepStrictEqual(await push(pair.on, n, ['alice', name, 'bob']), [n, null, [name]]);
        }
        for (const client of clients) {
          await client.until(({ content }) => content?.n === POISON.length - 1);
          assert.deepStrictEqual(client.numbers, [...POISON.keys()]);
          client.leave();
        }
      },
    );

    it(
      'without the fan-out no client gets it, as without the plugin',
      { timeout: TIMEOUT },
      async () => {
        const client = new Client({ uid: 'alice', kind: 'plain', port: pair.off.port });
        await pair.off.join(client);
        await push(pair.off, 1, ['alice', 'constructor']);
        assert.deepStrictEqual(await push(pair.off, 2, ['alice']), [2, null, []]);
        await client.until(({ content }) => content?.n === 2);
        assert.deepStrictEqual(client.numbers, [2]);
        client.leave();
      },
    );
  });
}
