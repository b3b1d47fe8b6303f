'use strict';

/** The warning at start that the clients of a frontend have no heartbeat, with the connectors of pomelo and pinus. */

const assert = require('assert');
const { describe, it, before, after, afterEach } = require('node:test');
const { STORES } = require('../support/stores');
const { started, stopAll } = require('../support/service');
const { logged } = require('../support/log');
const { frontendApp } = require('./frontend');

const CONNECTORS = {
  pomelo: () => require('pomelo/lib/connectors/hybridconnector'),
  pinus: () => require('pinus/dist/lib/connectors/hybridconnector').HybridConnector,
};

describe('the warning of a missing heartbeat', () => {
  let store;
  before(() => {
    store = STORES.embedded.open();
  });
  afterEach(stopAll);
  after(() => store.close());

  /** The warnings of a start with this `connectorConfig`. */
  async function warnings(config, { sid = 's1', sessions = true } = {}) {
    const app = frontendApp(sid);
    if (config) app.set('connectorConfig', config);
    const lines = await logged(() => started(store, { sessions }, app));
    return lines.filter((line) => line.includes('heartbeat'));
  }

  for (const [framework, load] of Object.entries(CONNECTORS)) {
    it(`${framework}: hybridconnector without heartbeat`, async () => {
      const lines = await warnings({ connector: load() });
      assert.strictEqual(lines.length, 1);
      assert.match(lines[0], /connectorConfig has no heartbeat, .* stays online; set heartbeat/);
      assert.deepStrictEqual(await warnings({ connector: load(), heartbeat: 3 }), []);
    });
  }

  it('none for other connectors, on other servers and without the registry', async () => {
    const connector = CONNECTORS.pomelo();
    assert.deepStrictEqual(await warnings(undefined), []);
    assert.deepStrictEqual(await warnings({ connector: function other() {} }), []);
    assert.deepStrictEqual(await warnings({ connector }, { sid: undefined, sessions: false }), []);
    assert.deepStrictEqual(await warnings({ connector }, { sessions: false }), []);
  });
});
