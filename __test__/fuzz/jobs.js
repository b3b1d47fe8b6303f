'use strict';

/** The jobs that fuzz.test.js runs in a process of their own: each returns `{wrong, count}`. */

const fc = require('fast-check');
const { VALUES, LABELS, Thrown, trapped, revoked, thrower } = require('./values');
const { USUAL, place, namesArgument, works } = require('./calls');
const job = require('./job');
const nested = require('./nested');

/** Each method, each position, each value; the promises too. */
const table = job(async (watch, tools) => {
  const { started, call } = tools;
  const service = await started();
  for (const method of Object.keys(USUAL)) {
    const { length } = USUAL[method];
    for (const label of LABELS) {
      const all = [];
      for (let index = 0; index < length; index += 1) {
        const what = `${method}, argument ${index} is ${label}`;
        const value = VALUES[label]();
        const check = namesArgument(watch, what, method, index, value);
        const args = place(method, index, value);
        all.push(watch.answered(what, (cb) => service[method](...args, cb), check));
        const args2 = place(method, index, VALUES[label]());
        all.push(watch.settled(`promises.${what}`, () => service.promises[method](...args2)));
      }
      watch.run(`${method}, callback is ${label}`, () =>
        service[method](...USUAL[method], VALUES[label]()),
      );
      await Promise.all(all);
    }
    // Too few and too many.
    for (let count = 0; count < length; count += 1) {
      const args = USUAL[method].slice(0, count);
      watch.run(`${method} with ${count} arguments`, () => service[method](...args));
      await watch.settled(`promises.${method} with ${count} arguments`, () =>
        service.promises[method](...args),
      );
    }
    const more = Array.from({ length: 20 }, () => Symbol('more'));
    await watch.answered(`${method} with more arguments`, (cb) =>
      service[method](...USUAL[method], cb, ...more),
    );
    await works(watch, `after ${method}`, service, tools);
  }
  await call(service, 'stop', true);
});

/** Life: start and stop with every value, and what is called on what it is not made for. */
const life = job(async (watch, tools) => {
  const { create, opts, createApp, call, plugin, started, factory } = tools;
  const { GlobalChannel, createPinusPlugin } = plugin();
  for (const label of LABELS) {
    const value = VALUES[label];
    const service = create(opts);
    watch.run(`start, callback is ${label}`, () => service.start(value()));
    await watch.answered(`start beside ${label}`, (cb) => service.start(cb));
    watch.run(`stats with ${label}`, () => service.stats(value()));
    watch.run(`stop, callback is ${label}`, () => service.stop(true, value()));
    await watch.answered(`stop, force is ${label}`, (cb) => service.stop(value(), cb));

    for (const method of [...Object.keys(USUAL), 'start', 'stop', 'stats']) {
      const what = `${method} on ${label}`;
      let callbacks = 0;
      const args = [...(USUAL[method] || []), () => (callbacks += 1)];
      watch.run(what, () => {
        GlobalChannel.prototype[method].apply(value(), args);
        watch.fail(what, 'did not throw');
      });
      if (callbacks > 0) watch.fail(what, 'its callback was called');
    }
    for (const field of ['state', 'promises']) {
      const { get } = Object.getOwnPropertyDescriptor(GlobalChannel.prototype, field);
      watch.run(`${field} of ${label}`, () => get.call(value()));
    }

    // Where a constructor looks for its prototype.
    for (const target of [Object, value()]) {
      watch.run(`Reflect.construct, new target ${label}`, () =>
        Reflect.construct(GlobalChannel, [createApp(), opts], target),
      );
    }
    watch.run(`new, app is ${label}`, () => new GlobalChannel(value(), opts));
    watch.run(`new, options are ${label}`, () => new GlobalChannel(createApp(), value()));
    watch.run(`factory, app is ${label}`, () => factory()(value(), opts));
    watch.run(`factory, options are ${label}`, () => factory()(createApp(), value()));
    const { components } = createPinusPlugin(value());
    watch.run(`pinus, app is ${label}`, () => new components[0](value(), { globalChannel: opts }));
    watch.run(`pinus, options are ${label}`, () => components[0](createApp(), value()));
  }

  // Instances of another class of the addon, and things that only look like an instance.
  const { listStore } = require('../../lib/native');
  const service = await started();
  const others = {
    'another class': listStore('redis://127.0.0.1:1', ''),
    'the prototype': GlobalChannel.prototype,
  };
  for (const [what, other] of Object.entries(others)) {
    for (const method of [...Object.keys(USUAL), 'start', 'stop', 'stats']) {
      watch.run(`${method} on ${what}`, () => {
        GlobalChannel.prototype[method].call(other, ...(USUAL[method] || []));
        watch.fail(`${method} on ${what}`, 'did not throw');
      });
    }
  }
  await works(watch, 'an heir', Object.create(service), tools);
  await works(watch, 'a proxy of a service', new Proxy(service, {}), tools);
  class Heir extends GlobalChannel {
    constructor(...args) {
      super(...args);
      this.more = 1;
    }
  }
  const heir = new Heir(createApp(), opts);
  await watch.answered('start of a subclass', (cb) => heir.start(cb));
  await works(watch, 'a subclass', heir, tools);
  await call(heir, 'stop', true);
  await works(watch, 'after all that', service, tools);
  await call(service, 'stop', true);
});

/** Each option with each value; options objects that do something when they are read. */
const options = job(async (watch, { createApp, plugin, args }) => {
  const { GlobalChannel } = plugin();
  const { inspect } = require('util');
  let made = 0;
  const make = async (what, opts) => {
    const service = watch.run(what, () => new GlobalChannel(createApp(), opts));
    if (!service) return;
    watch.run(`inspect, ${what}`, () => inspect(service));
    watch.run(`toJSON, ${what}`, () => JSON.stringify(service));
    made += 1;
    if (made % 20 > 0) return;
    await watch.answered(`stop, ${what}`, (cb) => service.stop(true, cb));
  };
  for (const label of LABELS) {
    for (const option of args.names) {
      const [outer, inner] = option.split('.');
      const value = VALUES[label]();
      await make(`${option} is ${label}`, { [outer]: inner ? { [inner]: value } : value });
    }
    await make(`a list with ${label}`, { cluster: [VALUES[label]()], cache: VALUES[label]() });
  }
  for (const option of args.names) {
    const getter = Object.defineProperty({}, option, { get: thrower, enumerable: true });
    await make(`${option} is a getter that throws`, getter);
  }
  await make('a proxy that throws', trapped({}));
  await make('a revoked proxy', revoked({}));
  for (const trap of Object.getOwnPropertyNames(Reflect)) {
    await make(`a proxy whose ${trap} throws`, new Proxy({ db: 1 }, { [trap]: thrower }));
    for (const label of LABELS) {
      await make(
        `a proxy whose ${trap} gives ${label}`,
        new Proxy({ db: 1 }, { [trap]: VALUES[label] }),
      );
    }
  }
  // A getter that makes a service, and one that throws after it was asked once.
  let depth = 0;
  const nested = {
    get db() {
      depth += 1;
      if (depth < 50) new GlobalChannel(createApp(), nested);
      return 0;
    },
  };
  await make('options that make a service when they are read', nested);
});

/** An app whose methods throw or give junk; frontends and managers that answer with it. */
const apps = job(async (watch, tools) => {
  const { started, createApp, call, create, opts } = tools;
  const app = createApp();
  const service = await started({ pushTimeout: 300 }, app);
  const asks = ['getMembersByChannelName', 'pushMessage', 'destroyChannel'];
  const ask = async (what) => {
    const all = asks.map((method) =>
      watch.answered(`${method}, ${what}`, (cb) => service[method](...USUAL[method], cb)),
    );
    await Promise.all(all);
  };
  // An app with four thousand million servers takes its time, and is not ours to doubt.
  const labels = LABELS.filter((label) => !label.includes('2**32'));
  for (const name of ['getServersByType', 'getServers', 'isFrontend']) {
    const real = app[name];
    for (const label of labels) {
      app[name] = VALUES[label];
      await ask(`${name} gives ${label}`);
      // A list of junk, and servers whose ids are junk.
      app[name] = () => [VALUES[label](), { id: VALUES[label]() }];
      await ask(`${name} gives a list with ${label}`);
      app[name] = VALUES[label]();
      await ask(`${name} is ${label}`);
    }
    app[name] = thrower;
    await ask(`${name} throws`);
    app[name] = real;
  }
  await call(service, 'add', 'n', ['u', 'v'], 's1');
  const push = (what) =>
    watch.answered(`pushMessage, ${what}`, (cb) => service.pushMessage(...USUAL.pushMessage, cb));
  const pushes = [];
  for (const label of labels) {
    for (const [how, rpc] of Object.entries({
      'fails with': (sid, msg, cb) => cb(VALUES[label]()),
      'answers with': (sid, msg, cb) => cb(null, VALUES[label]()),
      'twice, then throws': (sid, msg, cb) => {
        cb(null, VALUES[label]());
        cb(VALUES[label](), VALUES[label]());
        throw VALUES[label]();
      },
      throws: () => {
        throw VALUES[label]();
      },
      'never answers, returns': VALUES[label],
    })) {
      app.rpc = rpc;
      // Internal is right here: what a frontend answered is no list.
      pushes.push(
        push(`the RPC ${how} ${label}`).catch((err) => watch.fail(`${how} ${label}`, String(err))),
      );
    }
  }
  await Promise.all(pushes);
  app.rpc = (sid, msg, cb) => cb(null, []);
  await works(watch, 'after junk from the app', service, tools);
  await call(service, 'stop', true);

  for (const label of labels) {
    for (const [how, answer] of Object.entries({
      'answers with': (cb) => cb(null, VALUES[label]()),
      'fails with': (cb) => cb(VALUES[label]()),
      throws: () => {
        throw VALUES[label]();
      },
      'answers twice': (cb) => cb(null, VALUES[label](), cb(VALUES[label]())),
    })) {
      const last = (...args) => answer(args[args.length - 1]);
      const manager = { add: last, leave: last, getMembersBySid: last, destroyChannel: last };
      const own = create({ ...opts, channelManager: manager, commandTimeout: 300 });
      await call(own, 'start');
      for (const method of Object.keys(USUAL).filter((each) => each !== 'clean')) {
        const what = `a manager that ${how} ${label}: ${method}`;
        await new Promise((resolve) => {
          watch.note(what);
          let calls = 0;
          own[method](...USUAL[method], () => {
            calls += 1;
            if (calls > 1) watch.fail(what, 'called twice');
            resolve();
          });
        });
      }
      await call(own, 'stop', true);
    }
  }
});

/** Getters that call the service while it reads their array. */
const inside = job(async (watch, tools) => {
  const { started, call, create } = tools;
  const actions = {
    'the same method': (service) => service.add('n', ['x', 'y'], 's1', () => {}),
    'a read': (service) => service.getMembersBySid('n', 's1', () => {}),
    'a promise': (service) => service.promises.add('n', ['p'], 's1').catch(() => {}),
    'a method with the same array': (service, array) => service.add('n', array, 's1', () => {}),
    start: (service) => service.start(() => {}),
    stats: (service) => service.stats(),
    clean: (service) => service.clean(() => {}),
    stop: (service) => service.stop(true, () => {}),
    'stop, and a new service': (service) => {
      service.stop(true);
      create(tools.opts).start(() => {});
    },
    throwing: () => {
      throw new Thrown('in a getter');
    },
  };
  for (const [what, action] of Object.entries(actions)) {
    const service = await started();
    for (const method of ['add', 'leave']) {
      const array = ['a', 'b', 'c'];
      let depth = 0;
      Object.defineProperty(array, 1, {
        get() {
          depth += 1;
          if (depth < 20) action(service, array);
          return 'b';
        },
      });
      await watch.answered(`${method}, a getter does ${what}`, (cb) =>
        service[method]('n', array, 's1', cb),
      );
    }
    if (service.state === 1) await works(watch, `after ${what} in a getter`, service, tools);
    await call(service, 'stop', true);
  }
});

/** Random calls with random values on one service, several at a time. */
const random = job(async (watch, tools) => {
  const { started, call, args } = tools;
  const service = await started();
  const bad = fc.constantFrom(...LABELS).map((label) => ({ label, make: VALUES[label] }));
  const any = fc
    .anything({ withBigInt: true, withDate: true, withNullPrototype: true, withSparseArray: true })
    .map((value) => ({ label: 'anything', make: () => value }));
  const list = fc
    .array(bad, { maxLength: 5 })
    .map((each) => ({ label: 'a list', make: () => each.map(({ make }) => make()) }));
  const right = fc
    .constantFrom('n', 'u', 's1', 'connector')
    .map((label) => ({ label, make: () => label }));
  const value = fc.oneof(bad, any, list, { weight: 3, arbitrary: right });
  const one = fc.record({
    method: fc.constantFrom(...Object.keys(USUAL)),
    values: fc.array(value, { maxLength: 7 }),
    promise: fc.boolean(),
  });
  const run = async (calls) => {
    const all = calls.map(({ method, values, promise }) => {
      const what = `${method}(${values.map(({ label }) => label)})`;
      const given = values.slice(0, USUAL[method].length).map(({ make }) => make());
      const filled = [...given, ...USUAL[method].slice(given.length)];
      return promise
        ? watch.settled(`promises.${what}`, () => service.promises[method](...filled))
        : watch.answered(what, (cb) => service[method](...filled, cb));
    });
    await Promise.all(all);
    if (watch.wrong.length > 0) throw new Error(watch.wrong[0]);
  };
  const checked = await fc.check(
    fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 8 }), run),
    { numRuns: args.runs, ...(args.seed ? { seed: args.seed } : {}) },
  );
  if (checked.failed) watch.fail('random calls', `seed ${checked.seed}, ${checked.error}`);
  await works(watch, 'after random calls', service, tools);
  await call(service, 'stop', true);
});

module.exports = { table, nested, life, options, apps, inside, random };
