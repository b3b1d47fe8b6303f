'use strict';

/**
 * Option `rpcNoDelay` with unknown frameworks: whatever is missing, frozen or throws on the way to a socket, a push works as if
 * the option were off. Real frameworks are in rpc-no-delay.test.js.
 */

const assert = require('node:assert');
const { EventEmitter } = require('node:events');
const { createApp, pushed } = require('./support/app');
const { call, ok, settled } = require('./support/call');
const { optionsOf, plugin, started } = require('./support/service');
const { area, ours } = require('./support/rows');

const { GlobalChannel } = plugin();

const fails = () => {
  throw new Error('a shape that throws');
};
const throwing = (key, base = {}) => Object.defineProperty(base, key, { get: fails });
const hostile = new Proxy(function () {}, { get: fails, has: fails, apply: fails });
const noop = () => {};

/** What `app.components` may be, from nothing at all down to the socket. */
const mailbox = (m) => ({ ['__proxy__']: { client: { ['_station']: { mailboxes: { s1: m } } } } });
const stream = (methods) => mailbox({ socket: { stream: methods } });
const whole = { setNoDelay: noop, cork: noop, uncork: noop };

const SHAPES = {
  'nothing there': undefined,
  null: null,
  'no proxy': {},
  'a proxy without a client': { ['__proxy__']: {} },
  'a client without a station': { ['__proxy__']: { client: {} } },
  'a client that is a string': { ['__proxy__']: { client: 'client' } },
  'a station without mailboxes': { ['__proxy__']: { client: { ['_station']: {} } } },
  'mailboxes in a Map': { ['__proxy__']: { client: { ['_station']: { mailboxes: new Map() } } } },
  'no mailbox for this server': mailbox(undefined),
  'a mailbox without a socket': mailbox({}),
  'a mailbox whose socket is null': mailbox({ socket: null }),
  'a mailbox whose getter throws': mailbox(throwing('socket')),
  'a socket whose getter throws': mailbox({ socket: throwing('stream') }),
  'a proxy whose getter throws': throwing('__proxy__'),
  'everything throws': hostile,
  'everything throws from the mailbox on': mailbox(hostile),
  'a stream without methods': stream({}),
  'a stream whose methods are none': stream({ setNoDelay: 1, cork: 2, uncork: 3 }),
  'a stream without cork': stream({ setNoDelay: noop }),
  'a stream without uncork': stream({ setNoDelay: noop, cork: noop }),
  'a stream that cannot be set': stream({ ...whole, setNoDelay: fails }),
  'a stream that cannot be corked': stream({ ...whole, cork: fails }),
  'a stream that cannot be uncorked': stream({ ...whole, uncork: fails }),
  'a frozen stream': stream(Object.freeze({ ...whole })),
  'a frozen socket': mailbox(Object.freeze({ socket: Object.freeze({ ...whole }) })),
  'a stream behind a Proxy that throws': stream(new Proxy({ ...whole }, { get: fails })),
};

/** What a frontend may have in the place of the server that answers pushes. */
const acceptor = (value) => ({ ['__remote__']: { remote: { acceptor: value } } });
const server = { on: (name, listener) => listener() };

const ACCEPTORS = {
  'nothing there': undefined,
  'a getter that throws': throwing('__remote__'),
  'no acceptor': acceptor(undefined),
  'an acceptor without a server': acceptor({ sockets: {} }),
  'a server that cannot be listened to': acceptor({ sockets: {}, server: { on: fails } }),
  'no list of sockets': acceptor({ server }),
  'sockets that are none': acceptor({ server, sockets: { 1: null, 2: 'socket', 3: {} } }),
  'sockets that throw': acceptor({ server, sockets: { 1: hostile, 2: throwing('stream') } }),
  'a connection that cannot be listened to': acceptor({
    server,
    sockets: { 1: { stream: whole, prependListener: fails } },
  }),
};

area('rpcNoDelay on unknown ground', {}, (ctx) => {
  const push = (service) => [service, 'pushMessage', 'connector', 'onChat', { t: 1 }, 'n', {}];

  async function assertPushes(app) {
    const service = await started(ctx.redis, {}, app);
    for (const sid of ['s1', 's2']) await ok(service, 'add', 'n', `u-${sid}`, sid);
    const record = await call(...push(service));
    assert.deepStrictEqual(record.args, [null, []]);
    await settled(service);
    assert.strictEqual(record.n, 1);
    assert.deepStrictEqual(pushed(app), [
      ['s1', ['u-s1']],
      ['s2', ['u-s2']],
    ]);
    return service;
  }

  for (const [title, components] of Object.entries(SHAPES)) {
    ours(`a push works with this path to the socket: ${title}`, async () => {
      await assertPushes(Object.assign(createApp(), { components }));
    });
  }

  ours('a push works with an app whose components throw', async () => {
    await assertPushes(throwing('components', createApp()));
  });

  for (const [title, components] of Object.entries(ACCEPTORS)) {
    ours(`a start works with this path to the answers: ${title}`, async () => {
      let startServer;
      const event = { once: (name, listener) => (startServer = listener) };
      const app = Object.assign(createApp(), { components, event, isFrontend: () => true });
      const service = await started(ctx.redis, {}, app);
      startServer('s1');
      await ok(service, 'add', 'n', 'u', 's1');
    });
  }

  for (const [title, event] of Object.entries({
    null: null,
    'without once': {},
    'that refuses listeners': { once: fails },
    'that throws': hostile,
  })) {
    ours(`a start works with app.event ${title}`, async () => {
      await assertPushes(Object.assign(createApp(), { event }));
    });
  }

  ours(
    'however many services an app has, it is listened to as for one, and its acceptor once',
    async () => {
      const warnings = [];
      const warned = (warning) => warnings.push(String(warning));
      process.on('warning', warned);
      const acceptors = new EventEmitter();
      const app = Object.assign(createApp(), {
        event: new EventEmitter(),
        components: acceptor({ sockets: {}, server: acceptors }),
        isFrontend: () => true,
      });
      const make = () => new GlobalChannel(app, optionsOf(ctx.redis));
      const services = [make()];
      const listeners = app.event.listenerCount('start_server');
      services.push(...Array.from({ length: 11 }, make));
      assert.strictEqual(app.event.listenerCount('start_server'), listeners);
      assert.deepStrictEqual(app.event.eventNames(), ['start_server']);
      for (const service of services) {
        await ok(service, 'start');
      }
      app.event.emit('start_server', 's1');
      assert.deepStrictEqual(acceptors.eventNames(), ['connection']);
      assert.strictEqual(acceptors.listenerCount('connection'), 1);
      await Promise.all(services.map((service) => call(service, 'stop', true)));
      assert.deepStrictEqual([new GlobalChannel(app, {}).state, app.event.eventNames()], [0, []]);
      // A warning has a turn of its own.
      await new Promise(setImmediate);
      process.off('warning', warned);
      assert.deepStrictEqual(warnings, []);
    },
  );

  ours('corked writes are sent in the same turn, once for each turn', async () => {
    const calls = [];
    const recorded = {};
    for (const method of ['setNoDelay', 'cork', 'uncork']) {
      recorded[method] = () => calls.push(method);
    }
    const app = createApp({
      rpc: (sid, msg, cb) => {
        calls.push(`rpc ${sid}`);
        process.nextTick(cb, null, []);
      },
    });
    app.components = stream(recorded);
    const service = await started(ctx.redis, {}, app);
    await ok(service, 'add', 'n', 'u', 's1');
    await Promise.all([call(...push(service)), call(...push(service))]);
    await settled(service);
    const turns = calls.join(' ').split('uncork');
    // Both pushes in one turn or in two, as they come from the store.
    for (const turn of turns.slice(0, -1)) assert.match(turn, /^\D*cork( rpc s1){1,2} $/);
    assert.strictEqual(turns.at(-1), '');
    assert.strictEqual(calls.filter((name) => name === 'setNoDelay').length, 1);
  });
});
