'use strict';
/**
 * What a frontend of the tests (frontend.js) can be told: operations of one turn of its event loop, in the words of a
 * schedule (schedule.js), and questions. Everything goes through what an app itself may call. Nothing here knows
 * whether the fan-out is on.
 */

const net = require('net');
const zlib = require('zlib');
const bodies = require('./bodies');

let app;
/** uid → session, also of sessions that are gone. */
let sessions = new Map();
/** What callbacks were called with, and what was thrown, in order. */
let events = [];
/** Undo what an app does to objects that outlive its sessions. */
let undo = [];
/** Connections that take the place of descriptors that were closed. */
let traps = [];

const component = (name) => app.components[`__${name}__`];
const socketOf = (uid) => sessions.get(uid)['__socket__'];
/** Of the framework's wrapper the `ws` or the TCP wrapper, and of that the Node socket. */
const wireOf = (uid) => socketOf(uid).socket;
const rawOf = (uid) => wireOf(uid)['_socket'];
const sid = (uid) => (sessions.has(uid) ? sessions.get(uid).id : `unknown ${uid}`);

const done = (n) => (error, value) =>
  events.push([n, error ? String(error.message || error) : null, value ?? null]);

const target = (uid) => ({ uid, sid: app.getServerId() });

/** By the name in `op.do`; each is synchronous. */
const operations = {
  /** To the scheduler, as the connector component gives it: encoded already. */
  schedule({ n, to, size, form = 'buffer', fill }) {
    const body = bodies.encoded(n, to, size, fill);
    const msg = { buffer: body, string: String(body), object: { n, to } }[form];
    const opts = { type: 'push', userOptions: {} };
    component('pushScheduler').schedule(null, 'onFan', msg, to.map(sid), opts, done(n));
  },

  uids({ n, to, size }) {
    const service = app.get('channelService');
    service.pushMessageByUids('onFan', bodies.message(n, to, size), to.map(target), {}, done(n));
  },

  channel({ n, to, size }) {
    const service = app.get('channelService');
    const channel = service.getChannel(`channel ${n}`, true);
    for (const uid of to) channel.add(uid, app.getServerId());
    channel.pushMessage('onFan', bodies.message(n, to, size), {}, done(n));
    channel.destroy();
  },

  broadcast({ n, size, to, binded, act }) {
    const opts = { binded, filterParam: { to, act } };
    const message = bodies.message(n, to, size);
    app.get('channelService').broadcast('connector', 'onFan', message, opts, done(n));
  },

  respond({ n, to: [uid], size }) {
    const opts = { type: 'response', userOptions: {}, isResponse: true };
    const message = bodies.message(n, [uid], size);
    component('connector').send(n, 'connector.h.m', message, [sid(uid)], opts, done(n));
  },

  heartbeat({ to: [uid] }) {
    socketOf(uid).emit('heartbeat');
  },

  kick({ n, to: [uid] }) {
    app.get('sessionService').kick(uid, `kick ${n}`, done(n));
  },

  /** The app's own words on the same socket, below the framework. */
  ownSend({ n, to: [uid], size }) {
    const wire = wireOf(uid);
    wire.send(bodies.package(bodies.encoded(n, [uid], size)), { binary: true }, () => {});
  },

  ping({ to: [uid] }) {
    if (wireOf(uid).ping) wireOf(uid).ping();
  },

  /** The first part of a message; the next one that is sent is the rest of it. */
  fragment({ n, to: [uid], size }) {
    const sender = wireOf(uid)['_sender'];
    const part = bodies.package(bodies.encoded(n, [uid], size));
    if (sender) sender.send(part, { binary: true, fin: false });
  },

  cork({ to: [uid] }) {
    rawOf(uid).cork();
  },

  uncork({ to: [uid] }) {
    rawOf(uid).uncork();
  },

  /** The server's side hangs up at once: its descriptor is free in this moment. */
  destroy({ to: [uid] }) {
    rawOf(uid).destroy();
  },

  end({ to: [uid] }) {
    rawOf(uid).end();
  },

  /** Opens connections, which get the lowest free descriptors: by a path, for that is done at once. */
  trap({ path, count }) {
    for (let i = 0; i < count; i += 1) {
      const socket = net.connect(path);
      socket.on('error', () => {});
      traps.push(() => socket.destroy());
    }
  },

  /** For a broadcast's `act`. */
  several({ ops }) {
    ops.forEach(perform);
  },

  fail() {
    throw new Error('a filter that fails');
  },

  /** The app replaces what the framework sends with, as monitoring tools do. */
  wrap({ to: [uid], where }) {
    const object = { session: sessions.get(uid), socket: socketOf(uid), wire: wireOf(uid) }[where];
    const { send } = object;
    object.send = function (...args) {
      events.push(['wrapped', where, uid]);
      return send.apply(this, args);
    };
  },

  /**
   * The app replaces what the framework sends a message to a session with: a method of the session service, of what is
   * below pomelo's component, or of the class.
   */
  wrapService({ where }) {
    const service = app.get('sessionService');
    const holder = {
      service: () => service,
      below: () => service.service || service,
      class: () => ownerOf(service.service || service, 'sendMessage'),
    }[where]();
    for (const name of ['sendMessage', 'sendMessageByUid']) {
      const own = Object.getOwnPropertyDescriptor(holder, name);
      const send = holder[name];
      holder[name] = function (of, msg) {
        const uidOf = ([uid, { id }]) => (id === of ? [uid] : []);
        const uids = name === 'sendMessage' ? [...sessions].flatMap(uidOf) : [of];
        events.push(['wrapped', where, name, ...uids]);
        return send.call(this, of, msg);
      };
      undo.push(() => {
        if (own) Object.defineProperty(holder, name, own);
        else delete holder[name];
      });
    }
  },

  /** The app has its own way with the bytes, in code that looks much like the framework's. */
  sign({ to: [uid], where }) {
    const signed = (msg) => Buffer.concat([msg, bodies.package(Buffer.from('signed'))]);
    const ignore = () => {};
    if (where === 'socket') {
      const socket = socketOf(uid);
      socket.sendRaw = function (msg) {
        if (this.state === 2) this.socket.send(signed(msg), { binary: true }, ignore);
      };
      return;
    }
    const wire = wireOf(uid);
    if (wire['_sender']) {
      const own = { binary: true, fin: true, mask: false, compress: false };
      wire.send = function (msg) {
        /* eslint-disable-next-line no-underscore-dangle */
        this._sender.send(signed(msg), own, ignore);
      };
    } else {
      wire.send = function (msg) {
        /* eslint-disable-next-line no-underscore-dangle */
        this._socket.write(signed(msg), ignore);
      };
    }
  },

  /** One user with two sessions. */
  share({ to: [uid, other] }) {
    const service = app.get('sessionService');
    const { uidMap } = service.service || service;
    uidMap[uid].push(sessions.get(other));
  },

  /** Another WebSocket library, of which only what the framework calls is known. */
  replace({ to: [uid], where }) {
    const wire = wireOf(uid);
    const foreign = {
      send: (msg, ...rest) => {
        events.push(['foreign', where, uid]);
        return wire.send(msg, ...rest);
      },
      close: () => wire.close(),
      emit: (...args) => wire.emit(...args),
    };
    if (where === 'raw') foreign['_socket'] = wire['_socket'];
    socketOf(uid).socket = foreign;
  },
};

/** The object among `object` and its prototypes that has the property itself. */
function ownerOf(object, name) {
  return Object.hasOwn(object, name) ? object : ownerOf(Object.getPrototypeOf(object), name);
}

/** The others may throw because a client has just gone, or not yet. */
const PUSHES = ['schedule', 'uids', 'channel', 'broadcast', 'respond'];

function perform(op) {
  try {
    operations[op.do](op);
  } catch (error) {
    if (PUSHES.includes(op.do)) events.push([op.n, 'threw', String(error.message)]);
  }
}

/** The app's filter of broadcasts: who gets it, and what happens when the turn of one session comes. */
function filter(session, _msg, { to, act } = {}) {
  if (act && act.at === session.uid) {
    if (act.op.do === 'fail') operations.fail();
    perform(act.op);
  }
  return !to || to.includes(session.uid);
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

const commands = {
  /** The session of the client that came from this port gets its uid. */
  async bind(port, uid) {
    const service = app.get('sessionService');
    const all = [];
    service.forEachSession((session) => all.push(session));
    const isIt = ({ __socket__: { remoteAddress } }) => remoteAddress.port === port;
    const session = port ? all.find(isIt) : all.find((each) => !each.uid);
    if (!session) return false;
    await new Promise((resolve) => service.bind(session.id, uid, resolve));
    sessions.set(uid, session);
    return true;
  },

  async turn(ops) {
    ops.forEach(perform);
    await turn();
  },

  /** `count` times the same push with a number of its own, `each` of them in a turn. */
  async many({ op, first, count, each }) {
    for (let i = 0; i < count; i += 1) {
      perform({ ...op, n: first + i });
      if (i % each === each - 1) {
        await turn();
        events = [];
      }
    }
  },

  /** Which uids have a session. */
  bound: () => [...sessions.keys()].filter((uid) => app.get('sessionService').getByUid(uid)),

  events: () => events,

  /** Forgets a client that has left, when its session is gone. */
  async leave(uid) {
    while (app.get('sessionService').getByUid(uid)) await turn();
    sessions.delete(uid);
  },

  /** Nothing is held back any more, and each client that is there gets a last message. */
  finish(words) {
    for (const uid of sessions.keys()) {
      const raw = wireOf(uid) && wireOf(uid)['_socket'];
      for (let corks = raw ? raw.writableCorked : 0; corks > 0; corks -= 1) raw.uncork();
      const opts = { type: 'push', userOptions: {} };
      // sioconnector would make a list of numbers of a buffer.
      const msg = raw ? Buffer.from(words) : lastWords(words);
      component('pushScheduler').schedule(null, 'last', msg, [sid(uid)], opts, () => {});
    }
  },

  /** How many bytes wait in this process for a client. */
  buffered: (uid) => rawOf(uid).writableLength,

  /** For the next schedule. */
  forget() {
    for (const close of traps) close();
    for (const session of sessions.values()) session.closed('forgotten');
    for (const each of undo) each();
    sessions = new Map();
    events = [];
    traps = [];
    undo = [];
  },

  stats: () => app.get('globalChannelService').stats().fanOut,

  /** pinus has compression off, and no option for it. */
  allowDeflate() {
    component('connector').connector.switcher.wsprocessor.wsServer.options.perMessageDeflate = true;
  },

  heap() {
    for (let i = 0; i < 4; i += 1) global.gc();
    const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
    return { heapUsed, external, arrayBuffers, rss };
  },
};

/** Options of the connector that change what is sent. */
const coders = {
  /** An encoding of the app's own. */
  own: () => ({ encode: (_reqId, _route, msg) => zlib.deflateRawSync(JSON.stringify(msg)) }),
  /** One that gives what only the framework can make bytes of. */
  text: () => ({ encode: (_reqId, _route, msg) => JSON.stringify(msg) }),
  async: () => ({
    useAsyncCoder: true,
    encode: (_reqId, _route, msg, cb) => setImmediate(cb, null, Buffer.from(JSON.stringify(msg))),
    decode: (msg, _session, cb) => setImmediate(cb, null, msg),
  }),
  crypto: () => ({ useCrypto: true }),
  /** What mqttconnector's own encoder takes. */
  mqtt: ({ connectors }) => ({
    encode: (reqId, route, msg) =>
      connectors.mqttconnector.prototype.encode(reqId, route, mqttMessage(route, msg)),
  }),
};

const mqttMessage = (topic, msg) => ({ topic, payload: JSON.stringify(msg) });

/** A text as it is given to the scheduler of a connector whose sockets are no streams. */
let lastWords = (words) => words;

const choice = (recvs) => (recvs && recvs.length > 1 ? 'fan-out' : 'direct');

/** For `pushSchedulerConfig`. */
const schedulers = {
  buffer: ({ pushSchedulers }) => ({ scheduler: pushSchedulers.buffer, flushInterval: 5 }),
  /** One of the app's own, which turns around whom it sends to. */
  custom: () => ({
    scheduler: {
      start: async (cb) => cb && cb(),
      stop: async (cb) => cb && cb(),
      schedule(_reqId, _route, msg, recvs, _opts, cb) {
        events.push(['custom', recvs && recvs.length]);
        for (const id of recvs.sort((a, b) => b - a))
          app.get('sessionService').sendMessage(id, msg);
        process.nextTick(cb);
      },
    },
  }),
  fanOut: (_framework, { FanOutPushScheduler }) => ({ scheduler: FanOutPushScheduler }),
  /** The fan-out beside the framework's own. */
  several: ({ pushSchedulers }, { FanOutPushScheduler }, name) => ({
    scheduler: [
      { id: 'fan-out', scheduler: FanOutPushScheduler, options: {} },
      { id: 'direct', scheduler: pushSchedulers.direct, options: {} },
    ],
    ...(name === 'pomelo' && {
      selector: (_reqId, _route, _msg, recvs, _opts, cb) => cb(choice(recvs)),
    }),
  }),
};

module.exports = {
  commands,
  coders,
  schedulers,
  filter,
  use(its) {
    ({ app } = its);
    if (its.connector === 'mqttconnector') {
      lastWords = (words) =>
        component('connector').connector.encode(null, 'last', mqttMessage('last', words));
    }
    const { scheduler } = component('pushScheduler');
    // pinus 1.7.4 refuses a list that comes with one, and then needs it.
    if (scheduler.scheduler && !scheduler.selector) {
      scheduler.selector = (_reqId, _route, _msg, recvs) => choice(recvs);
    }
  },
};
