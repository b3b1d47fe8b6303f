'use strict';

// Watching channels: `service.watch(names | {prefix})` (option `events`, src/events/mod.rs). A watch has the events of its
// channels from its first 'gap' on, which says that the subscription is there. Which changes there were is decided in Rust;
// here they are given to the watches, and 'vacated' waits `leaveDelay`.

const { EventEmitter } = require('events');

const defineMethod = require('./defineMethod');
const { tell } = require('./events');
const { instanceOf } = require('./instances');
const { failures } = require('./tables');

/** What is emitted for each kind of change when a channel has its first member, or has lost its last one. */
const OCCUPIED = 'join';

/** Some of the channels, and their events. */
class Watch {
  #emitter = new EventEmitter();
  #stop;

  /** `begin(listener)` begins, and returns what ends it. */
  constructor(begin) {
    this.#stop = begin((event, told) => tell(this.#emitter, event, told));
  }

  on(event, listener) {
    this.#emitter.on(event, listener);
    return this;
  }

  once(event, listener) {
    this.#emitter.once(event, listener);
    return this;
  }

  off(event, listener) {
    this.#emitter.off(event, listener);
    return this;
  }

  /** Ends it; there are no events any more. */
  close() {
    this.#stop();
    this.#stop = () => {};
    this.#emitter.removeAllListeners();
  }
}

/** Defines `watch` on the class, not enumerable. */
function defineWatch(GlobalChannel) {
  defineMethod(GlobalChannel, 'watch', function watch(what) {
    // A Proxy of an instance, or an heir, watches as the instance.
    const instance = instanceOf(this) || this;
    return instance['_host'].watch(what);
  });
}

/**
 * Makes `{watch, tellChanges, close}` for one service. Of `tools`, `watch(text, isPrefix, isOn)` tells the addon what is
 * watched, `leaveDelay` is null without option `events`, and `failure` makes errors. A custom `manager` may watch itself.
 */
function createWatches(manager, { watch: tellAddon, leaveDelay, failure }) {
  /** For each name, and each prefix, that is watched the sets of events' receivers. */
  const byName = new Map();
  const byPrefix = new Map();
  /** The receivers of the watches that are not closed, and those of them that had their first gap. */
  const receivers = new Set();
  const live = new Set();
  /** Whether the subscription is there, as far as is known. */
  let isOpen = false;
  /** For each channel that has lost its last member a moment ago the timer of its 'vacated'. */
  const leaving = new Map();

  return { watch, tellChanges, close };

  function watch(what) {
    const { names, prefix } = checked(what);
    if (manager) return new Watch((listener) => watchManager(what, listener));
    if (leaveDelay === null || leaveDelay === undefined) {
      throw failure(failures.UNSUPPORTED, undefined, 'watch needs option events: true');
    }
    const [map, texts] = names ? [byName, names] : [byPrefix, [prefix]];
    return new Watch((listener) => begin(map, texts, listener));
  }

  function begin(map, texts, listener) {
    // A receiver of its own, since two watches may have one listener.
    const receive = (event, told) => listener(event, told);
    for (const text of texts) {
      if (!map.has(text)) {
        map.set(text, new Set());
        tellAddon(text, map === byPrefix, true);
      }
      map.get(text).add(receive);
      receivers.add(receive);
    }
    if (isOpen) {
      setImmediate(() => {
        if (receivers.has(receive) && isOpen && !live.has(receive)) {
          live.add(receive);
          receive('gap', { reason: 'start' });
        }
      });
    }
    return () => {
      receivers.delete(receive);
      live.delete(receive);
      for (const text of texts) {
        const set = map.get(text);
        if (set.delete(receive) && set.size === 0) {
          map.delete(text);
          tellAddon(text, map === byPrefix, false);
        }
      }
      if (receivers.size === 0) isOpen = false;
    };
  }

  /** Tells of what the addon has received: `[event, name, sid, reason, count, isEdge, uids]`, or `['gap', reason]`. */
  function tellChanges(text) {
    for (const [event, ...rest] of JSON.parse(text)) {
      if (event === 'gap') tellGap(...rest);
      else tellChange(event, ...rest);
    }
  }

  function tellGap(reason) {
    isOpen = true;
    forgetLeaving();
    // A watch that begins meanwhile has its first gap later.
    const all = [...receivers];
    for (const receive of all) {
      // One before it may have closed it.
      if (!receivers.has(receive)) continue;
      const told = { reason: live.has(receive) ? reason : 'start' };
      live.add(receive);
      receive('gap', told);
    }
  }

  function tellChange(event, name, sid, reason, count, isEdge, uids) {
    const told = event === 'destroy' ? { name, sid, reason, count } : { name, sid, reason, uids };
    if (event === OCCUPIED && isEdge) tellOccupied(name, sid, reason);
    // Without uids it tells only that a channel has its first member, or has lost its last one (a Redis Cluster).
    if (count > 0 || event === 'destroy') send(name, event, told);
    if (event !== OCCUPIED && isEdge) tellVacated(name, sid, reason);
  }

  function tellOccupied(name, sid, reason) {
    // Back within the delay: it does not count as vacated.
    if (leaving.has(name)) {
      clearTimeout(leaving.get(name));
      leaving.delete(name);
    } else {
      send(name, 'occupied', { name, sid, reason });
    }
  }

  function tellVacated(name, sid, reason) {
    const vacated = () => {
      leaving.delete(name);
      send(name, 'vacated', { name, sid, reason });
    };
    // It may be vacated already: a process without events has added a member since, who told no one.
    clearTimeout(leaving.get(name));
    if (leaveDelay === 0) vacated();
    else leaving.set(name, setTimeout(vacated, leaveDelay).unref());
  }

  function send(name, event, told) {
    const all = new Set(byName.get(name));
    for (const [prefix, set] of byPrefix) {
      if (name.startsWith(prefix)) for (const receive of set) all.add(receive);
    }
    for (const receive of all) {
      if (live.has(receive)) receive(event, told);
    }
  }

  function forgetLeaving() {
    for (const timer of leaving.values()) clearTimeout(timer);
    leaving.clear();
  }

  /** The service has ended. */
  function close() {
    isOpen = false;
    forgetLeaving();
  }

  function watchManager(what, listener) {
    if (typeof manager.watch !== 'function') {
      const words = 'watch needs a method watch of the channelManager, which it does not have';
      throw failure(failures.UNSUPPORTED, undefined, words);
    }
    const stop = manager.watch(what, listener);
    return typeof stop === 'function' ? stop : () => {};
  }

  /** Returns `{names}` or `{prefix}`. */
  function checked(what) {
    const names = typeof what === 'string' ? [what] : what;
    if (Array.isArray(names) && names.length > 0) {
      if (names.every((name) => typeof name === 'string')) return { names: [...new Set(names)] };
    } else if (typeof what === 'object' && what !== null && typeof what.prefix === 'string') {
      return { prefix: what.prefix };
    }
    const accepted = 'accepted are a name, an array of names, and {prefix: <text>}';
    throw failure(failures.ARGUMENT, undefined, `argument names is of another kind; ${accepted}`);
  }
}

module.exports = { createWatches, defineWatch };
