'use strict';

// Publishes calls on Node's diagnostics channels, as TracingChannels `globalchannel:command` and `globalchannel:push`, for
// tracers such as OpenTelemetry. Without a subscriber the methods are those of the addon, and nothing is made for a call:
// whether there is one is looked at when a service is made and once per tick with calls (host.js).
//
// What is published has no names of channels and no uids unless it is asked for: they are getters that are not enumerable.

const diagnostics = require('diagnostics_channel');

const { counted, isCounted } = require('./changed');
const { methods } = require('./tables');

const EVENTS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];
const PUSHES = new Set(['pushMessage', 'pushMessageByUids', 'broadcast']);

/** What may be shown of the arguments. */
const SHOWN = new Set(['serverType', 'route', 'sid']);
const HIDDEN = new Set(['name', 'channelName', 'uid', 'uids', 'members']);

// Node 20 and later; before, calls are not traced.
const channels =
  typeof diagnostics.tracingChannel === 'function'
    ? {
        command: diagnostics.tracingChannel('globalchannel:command'),
        push: diagnostics.tracingChannel('globalchannel:push'),
      }
    : undefined;

const hasSubscribers = (channel) => EVENTS.some((event) => channel[event].hasSubscribers);

/** What is published of a call; TracingChannel sets `error` and `result`. */
class Context {
  #result;

  constructor(method, names, args, hasCallback) {
    this.method = method;
    this.hasCallback = hasCallback;
    names.forEach((name, at) => {
      if (SHOWN.has(name)) this[name] = args[at];
      if (HIDDEN.has(name)) {
        Object.defineProperty(this, name, { get: () => args[at], enumerable: false });
      }
    });
  }

  /** What the callback got: it may have uids. */
  get result() {
    return this.#result;
  }

  set result(value) {
    this.#result = value;
    if (Array.isArray(value)) this.count = value.length;
    else if (typeof value === 'number') this.count = value;
  }
}

/** Returns the position of the callback, as the addon takes it: last, or in the place of `opts`; -1 if there is none. */
function callbackAt(names, args) {
  const last = names.length;
  if (typeof args[last] === 'function') return last;
  const isLeftOut = names[last - 1] === 'opts' && typeof args[last - 1] === 'function';
  return isLeftOut ? last - 1 : -1;
}

/** Makes the traced form of a method. */
function traced(method, native) {
  const names = methods[method].arguments;
  const channel = channels[PUSHES.has(method) ? 'push' : 'command'];
  const value = function (...args) {
    if (!hasSubscribers(channel)) return native.apply(this, args);
    const at = callbackAt(names, args);
    const context = new Context(method, names, args, at >= 0);
    if (at < 0) return channel.traceSync(native, context, this, ...args);
    // The callback of TracingChannel takes the place of one that is to get a count.
    const run = isCounted(args[at])
      ? (...given) => native.apply(this, (counted(given[at]), given))
      : native;
    return channel.traceCallback(run, at, context, this, ...args);
  };
  return Object.defineProperties(value, {
    name: { value: method },
    length: { value: native.length },
  });
}

/** Has the methods of the class traced while there is a subscriber. */
let look = () => {};

function defineTracing({ prototype }) {
  if (!channels) return;
  const natives = new Map(Object.keys(methods).map((method) => [method, prototype[method]]));
  const wrapped = new Map();
  let isTracing = false;
  look = () => {
    const wants = hasSubscribers(channels.command) || hasSubscribers(channels.push);
    if (wants === isTracing) return;
    isTracing = wants;
    for (const [method, native] of natives) {
      if (!wrapped.has(method)) wrapped.set(method, traced(method, native));
      const [from, to] = wants ? [native, wrapped.get(method)] : [wrapped.get(method), native];
      // A method that the app has replaced stays as it is.
      if (prototype[method] === from) prototype[method] = to;
    }
  };
}

module.exports = { defineTracing, look: () => look() };
