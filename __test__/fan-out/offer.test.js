'use strict';

/**
 * Whether a server has the fan-out: on frontends, where the app left the push scheduler to the framework, and `stats()` says
 * why not elsewhere. An app here is no more than its settings; real ones are in pomelo-cluster/fan-out.test.js.
 */

const assert = require('node:assert');
const { afterEach, describe } = require('node:test');
const { FanOutPushScheduler } = require('../..');
const { createApp } = require('../support/app');
const { ours } = require('../support/rows');
const { create, stopAll } = require('../support/service');
const { FRAMEWORKS } = require('./hybrid');

const direct = { pomelo: FRAMEWORKS.pomelo().direct, pinus: FRAMEWORKS.pinus().direct };

/** A frontend with these settings, of which pomelo or pinus would take the scheduler when it starts. */
function frontend(settings = {}) {
  const app = createApp();
  app.isFrontend = () => true;
  app.components = {};
  for (const [name, value] of Object.entries(settings)) app.set(name, value);
  app.setCalls.length = 0;
  /** As both frameworks do it. */
  app.load = () => {
    const { scheduler: Scheduler, ...rest } =
      app.get('schedulerConfig') || app.get('pushSchedulerConfig') || {};
    const opts = { scheduler: Scheduler, ...rest };
    app.components['__pushScheduler__'] = {
      scheduler: typeof Scheduler === 'function' ? new Scheduler(app, opts) : Scheduler,
    };
    return app.components['__pushScheduler__'].scheduler;
  };
  return app;
}

const stateOf = (service) => {
  const { enabled, reason } = service.stats().fanOut;
  return [enabled, reason];
};

describe('whether there is a fan-out', () => {
  afterEach(stopAll);

  ours('a frontend without a scheduler of its own gets it', () => {
    const app = frontend();
    const service = create({}, app);
    assert.deepStrictEqual(stateOf(service), [false, 'the app has not started yet']);
    assert.ok(app.load() instanceof FanOutPushScheduler);
    assert.deepStrictEqual(stateOf(service), [true, null]);
  });

  for (const name of ['pushSchedulerConfig', 'schedulerConfig']) {
    for (const framework of ['pomelo', 'pinus']) {
      ours(
        `so does one that names the default of ${framework} in ${name}; other fields stay`,
        () => {
          const app = frontend({ [name]: { scheduler: direct[framework], flushInterval: 5 } });
          const service = create({}, app);
          assert.ok(app.load() instanceof FanOutPushScheduler);
          assert.deepStrictEqual(app.get(name), {
            scheduler: FanOutPushScheduler,
            flushInterval: 5,
          });
          assert.deepStrictEqual(stateOf(service), [true, null]);
        },
      );
    }

    for (const framework of ['pomelo', 'pinus']) {
      ours(
        `an app that names the default of ${framework} in ${name} after the plugin gets it, and stats() says so`,
        () => {
          const app = frontend();
          const service = create({}, app);
          app.set(name, { scheduler: direct[framework] });
          assert.ok(app.load() instanceof direct[framework]);
          const reason =
            "the app set the framework's default push scheduler after the plugin was loaded";
          assert.deepStrictEqual(stateOf(service), [false, reason]);
        },
      );
    }

    ours(
      `a scheduler of the app's own in ${name} stays, before the plugin is loaded or after`,
      () => {
        class Own {
          schedule() {}
        }
        for (const scheduler of [Own, new Own(), [{ id: 'own', scheduler: Own, options: {} }]]) {
          const config = { scheduler };
          const before = frontend({ [name]: config });
          const after = frontend();
          const services = [create({}, before), create({}, after)];
          after.set(name, config);
          for (const app of [before, after]) {
            assert.strictEqual(app.get(name), config);
            app.load();
          }
          for (const service of services) {
            const reason = 'the app has a push scheduler of its own';
            assert.deepStrictEqual(stateOf(service), [false, reason]);
          }
        }
      },
    );
  }

  ours('fanOut: false and servers that are no frontends leave the settings alone', () => {
    const off = frontend();
    const backend = createApp();
    const services = [create({ fanOut: false }, off), create({}, backend)];
    for (const app of [off, backend]) {
      const names = app.setCalls.map(([name]) => name);
      assert.deepStrictEqual(names, ['globalChannelService']);
    }
    assert.deepStrictEqual(services.map(stateOf), [
      [false, 'option fanOut is false'],
      [false, 'this server is no frontend'],
    ]);
  });

  ours('the class that the app names itself is in force, whatever option fanOut says', () => {
    const app = frontend({
      pushSchedulerConfig: { scheduler: FanOutPushScheduler, maxBuffered: 5 },
    });
    const service = create({ fanOut: false }, app);
    app.load();
    assert.deepStrictEqual(stateOf(service), [true, null]);
  });

  ours('a service for an app that has started says so', () => {
    const app = frontend();
    app.load();
    const reason = 'the app had started before the plugin was loaded';
    assert.deepStrictEqual(stateOf(create({}, app)), [false, reason]);
  });

  ours('an app that cannot be asked does without', () => {
    const app = frontend();
    app.isFrontend = () => {
      throw new Error('not yet');
    };
    const reason = 'the app could not be asked for its push scheduler';
    assert.deepStrictEqual(stateOf(create({}, app)), [false, reason]);
  });
});
