'use strict';

/**
 * Contract rows A01–A06: what pomelo and an app see of the package before anything is started.
 * The life cycle is in a-lifecycle.test.js.
 */

const assert = require('node:assert');
const fs = require('fs');
const path = require('path');
const { describe, afterEach } = require('node:test');
const { createApp } = require('../support/app');
const { ROOTS, IMPL, plugin, factory, create, stopAll } = require('../support/service');
const { same, ours } = require('../support/rows');

const OPTS = { host: '127.0.0.1', port: 1, db: 3, prefix: 'PX' };

describe('A package', () => {
  afterEach(stopAll);

  same('A01 the package exports a folder named components that holds globalChannel.js only', () => {
    const exported = plugin();
    assert.deepStrictEqual(Object.keys(exported), ['components']);
    assert.strictEqual(typeof exported.components, 'string');
    assert.strictEqual(path.basename(exported.components), 'components');
    assert.deepStrictEqual(fs.readdirSync(exported.components), ['globalChannel.js']);
    assert.strictEqual(exported.events, undefined);
    assert.strictEqual(require(ROOTS[IMPL]), exported);
  });

  ours('A01 besides, GlobalChannel and createPinusPlugin are exported', () => {
    const { GlobalChannel, createPinusPlugin } = plugin();
    assert.strictEqual(typeof createPinusPlugin, 'function');
    assert.ok(create(OPTS) instanceof GlobalChannel);
  });

  same('A02 the service is named __globalChannel__ and attached to the app', () => {
    const app = createApp();
    const service = create(OPTS, app);
    assert.strictEqual(service.name, '__globalChannel__');
    assert.strictEqual(app.get('globalChannelService'), service);
    assert.strictEqual(app.globalChannelService, service);
    assert.deepStrictEqual(
      app.setCalls.map(([key, value, attach]) => [key, value === service, attach]),
      [['globalChannelService', true, true]],
    );
    assert.deepStrictEqual(
      [typeof service.afterStart, typeof service.beforeStart],
      ['undefined', 'undefined'],
    );
  });

  same('A02 the service has the six methods, start and stop', () => {
    const service = create(OPTS);
    const methods = ['start', 'stop', 'add', 'leave', 'getMembersBySid'];
    methods.push('getMembersByChannelName', 'destroyChannel', 'pushMessage');
    for (const method of methods) assert.strictEqual(typeof service[method], 'function', method);
  });

  same('A06 the methods declare as many arguments as in 0.0.7', () => {
    const service = create(OPTS);
    const methods = ['add', 'leave', 'getMembersBySid', 'getMembersByChannelName'];
    methods.push('destroyChannel', 'pushMessage');
    const lengths = methods.map((method) => service[method].length);
    assert.deepStrictEqual(lengths, [4, 4, 3, 3, 2, 6]);
  });

  same('A03 the component factory has no name that pomelo would register it under', () => {
    assert.strictEqual(typeof factory(), 'function');
    assert.strictEqual(factory().name, '');
  });

  same('A04 state, app, opts, cleanOnStartUp and manager are visible', () => {
    const app = createApp();
    const service = create(OPTS, app);
    assert.strictEqual(service.state, 0);
    assert.strictEqual(service.app, app);
    assert.strictEqual(service.opts.prefix, 'PX');
    assert.strictEqual(service.cleanOnStartUp, undefined);
    assert.strictEqual(service.manager.prefix, 'PX');
    assert.strictEqual(Number(service.manager.db), 3);
    assert.strictEqual(create({ ...OPTS, cleanOnStartUp: true }).cleanOnStartUp, true);
  });

  ours('A04 manager tells the db and the prefix in use, wherever they were given', () => {
    const { manager } = create({ url: 'redis://127.0.0.1:1/5' });
    assert.deepStrictEqual({ ...manager }, { prefix: 'POMELO:CHANNEL', db: 5 });
  });

  ours('A04 they are own properties, opts is the given object, no redis handle leaks', () => {
    const service = create(OPTS);
    const own = ['app', 'opts', 'cleanOnStartUp', 'manager'];
    assert.deepStrictEqual(
      own.filter((field) => !Object.prototype.hasOwnProperty.call(service, field)),
      [],
    );
    assert.strictEqual(service.opts, OPTS);
    assert.ok(!service.manager.redis);
  });

  same('A05 lib/components/globalChannel can be required', () => {
    const found = require(path.join(ROOTS[IMPL], 'lib/components/globalChannel'));
    assert.strictEqual(found, factory());
  });
});
