'use strict';

/**
 * Frontends in this process behind a network that a test moves on call by call: what is sent to a frontend arrives in
 * order, or is lost; frontends start anew under their ids, with or without news of it. A frontend has the plugin (and
 * its remote for lists), 0.0.7 (none), or one that cannot be reached. RPCs are dispatched as pomelo-rpc does it.
 */

const { EventEmitter } = require('events');
const { createApp } = require('../support/app');
const { factory } = require('../support/service');

const over = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));
const cloned = (err) => (err instanceof Error ? { stack: err.stack } : err);

/** What a manager that does nothing has. */
const idle = () => ({
  add() {},
  leave() {},
  destroyChannel() {},
  getMembersBySid() {},
});

class Frontend {
  /** `kind`: 'ours' or 'old'; `style`: of the remotes, 'pomelo' or 'pinus'. */
  constructor(id, { kind = 'ours', style = 'pomelo', options = {} } = {}) {
    Object.assign(this, { id, kind, style, options });
    /** `{n, uids, opts}` of each push that it was given, over all of its starts. */
    this.pushes = [];
    /** Uids without a session here. */
    this.missing = new Set();
    this.start();
  }

  start() {
    /** Calls on their way here: the link is cut when it starts anew. */
    this.waiting = [];
    const pushMessage = (route, msg, uids, opts) => {
      if (!msg) throw new Error('can not send empty message.');
      this.pushes.push({ n: msg.n, uids: uids.slice(), opts });
      return uids.filter((uid) => this.missing.has(uid));
    };
    const channelRemote = {
      pushMessage:
        this.style === 'pinus'
          ? async (...args) => pushMessage(...args)
          : (...args) => args[4](null, pushMessage(...args)),
    };
    this.services = { sys: { channelRemote } };
    this.app = Object.assign(createApp(), {
      serverId: this.id,
      event: new EventEmitter(),
      isFrontend: () => true,
      components: { ['__remote__']: { remote: { services: this.services } } },
    });
    if (this.kind === 'ours') {
      // Never started, so that there is nothing to stop: a frontend that has started anew can be garbage-collected.
      factory()(this.app, { channelManager: idle(), ...this.options });
      this.app.event.emit('start_server', this.id);
    }
  }

  dispatch({ namespace, service, method, args }, answer) {
    const space = this.services[namespace];
    if (!space) return answer(new Error(`no such namespace:${namespace}`));
    if (!space[service]) return answer(new Error(`no such service:${service}`));
    const remote = space[service];
    if (!remote[method]) return answer(new Error(`no such method:${method}`));
    try {
      if (this.style === 'pinus') {
        Promise.resolve(remote[method](...args)).then((value) => answer(null, value), answer);
      } else {
        remote[method](...args, answer);
      }
    } catch (err) {
      answer(err);
    }
    return undefined;
  }
}

class Network {
  /** `frontends`: the kinds of `s1`, `s2`, … */
  constructor(kinds) {
    this.frontends = kinds.map((kind, i) => new Frontend(`s${i + 1}`, kind));
    this.byId = new Map(this.frontends.map((frontend) => [frontend.id, frontend]));
    this.app = this.pusher('chat-1');
    /** Every RPC, `{sid, service, method, args, bytes}`. */
    this.sent = [];
    /** Delivers at once. */
    this.isFast = true;
    /** What becomes of the next calls: 'lost' or 'done, but failed'. */
    this.faults = [];
  }

  /** The app of a pushing server. */
  pusher(serverId) {
    const servers = this.frontends.map(({ id }) => ({ id, serverType: 'connector' }));
    const app = createApp({ servers, rpc: (...args) => this.send(...args) });
    return Object.assign(app, { event: new EventEmitter(), serverId });
  }

  send(sid, msg, cb) {
    const text = JSON.stringify(msg);
    const { service, method, args } = JSON.parse(text);
    this.sent.push({ sid, service, method, args, bytes: text.length });
    this.byId.get(sid).waiting.push({ text, cb, fault: this.faults.shift() });
    if (this.isFast) setImmediate(() => this.step(sid));
  }

  /** The next call to a frontend arrives, and its answer comes back. Whether there was one. */
  step(sid) {
    const frontend = this.byId.get(sid);
    const call = frontend.waiting.shift();
    if (!call) return false;
    const { text, cb, fault } = call;
    if (fault === 'lost') {
      cb(new Error('rpc callback timeout'));
      return true;
    }
    frontend.dispatch(JSON.parse(text), (err, value) => {
      if (fault === 'done, but failed') {
        cb(new Error('the answer was lost'));
        cb(new Error('and once more'));
      } else {
        cb(over(cloned(err)), over(value));
      }
    });
    return true;
  }

  get isQuiet() {
    return this.frontends.every(({ waiting }) => waiting.length === 0);
  }

  /** A frontend starts anew; what was on its way fails. */
  restart(sid, hasNews) {
    const frontend = this.byId.get(sid);
    const { waiting } = frontend;
    frontend.start();
    if (hasNews) this.app.event.emit('remove_servers', [sid]);
    for (const { cb } of waiting) cb(new Error('disconnected'));
  }

  /** The pushes to a frontend's lists remote since the start of the test, and those of the framework. */
  calls(sid, service) {
    return this.sent.filter((call) => call.sid === sid && call.service === service);
  }
}

module.exports = { Network };
