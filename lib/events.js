'use strict';

// Events of a service: `on`, `once` and `off`. What a listener throws becomes an uncaughtException, as with callbacks, and
// stops no other listener.

const { EventEmitter } = require('events');

const callBack = require('./callBack');
const defineMethod = require('./defineMethod');
const { instanceOf } = require('./instances');

/** The emitter of each instance that has had a listener. */
const emitters = new WeakMap();

/** Defines the methods on the class, not enumerable. */
function defineEvents(GlobalChannel) {
  for (const method of ['on', 'once', 'off']) {
    const value = {
      [method](event, listener) {
        emitterOf(this)[method](event, listener);
        return this;
      },
    }[method];
    defineMethod(GlobalChannel, method, value);
  }
}

/** A Proxy of an instance, or an heir, has the listeners of the instance. */
function emitterOf(channel) {
  const instance = instanceOf(channel) || channel;
  if (!emitters.has(instance)) emitters.set(instance, new EventEmitter());
  return emitters.get(instance);
}

/** Tells the listeners of `event` of an instance. */
function emit(channel, event, told) {
  const emitter = emitters.get(channel);
  if (emitter) tell(emitter, event, told);
}

/** Tells the listeners of an emitter. Each is called by itself, so that one that throws stops none of the others. */
function tell(emitter, event, told) {
  for (const listener of emitter.rawListeners(event)) {
    callBack(listener, told);
  }
}

module.exports = { defineEvents, emit, tell };
