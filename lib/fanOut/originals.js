'use strict';

// Detects methods of sockets, and of the session service, that are not the framework's own. A method that an app or a
// tracer has replaced must be called, so a message that would pass through it is left to the framework.
//
// A method is the framework's if it is inherited from the prototype, its source matches a pattern (mostly of property names
// only, so that minified bundles match), and it passes on the same buffer that it was given. Checked once for each
// function.

const { createHash } = require('crypto');

const sourceOf = Function.prototype.toString;

const probe = Buffer.from('probe');
const callback = () => {};

module.exports = {
  isSessionSend: original('send', /\{\s*this\.__socket__\.send\(\s*\w+\s*\);?\s*\}$/),
  // Not probed: frames.js calls it for each message, and what it returns is what is sent.
  isHybridSend: original('send', /\.sendRaw\([^]*\.TYPE_DATA\b/),
  isHybridSendRaw: original('sendRaw', /\.socket\.send\([^]*\bbinary\b/, (sendRaw) =>
    handsOn((send) => sendRaw.call({ state: 2, socket: { send } }, probe)),
  ),
  isTcpSend: original('send', /\b_socket\b[^]*\.write\(/, (send) =>
    handsOn((write) => send.call({ _socket: { write } }, probe, { binary: true }, callback)),
  ),
  isWebSocketSend: original('send', /\._sender\.send\(/, (send) =>
    handsOn((sendBelow) => send.call(webSocket(sendBelow), probe, { binary: true }, callback)),
  ),
  isSenderOf1: original('send', /\.messageHandlers\.push\(/),
  isSenderOf8: original('send', /\._firstFragment\b/),
  isPushMessage: original('pushMessage', { test: isPushMessage }),
  isGetByUid: original('getByUid', /\{\s*return this\.uidMap\[\w+\];?\s*\}$/),
  isServiceMethod,
  ownerOf,
};

/** The methods of the session service through which `direct` sends: to a session, and to all sessions of a user. */
const SERVICE = {
  sendMessage: original('sendMessage', /non-existing session/, (method) =>
    handsOn((send) => method.call({ get: () => ({ send }), sessions: [{ send }] }, 0, probe)),
  ),
  sendMessageByUid: original('sendMessageByUid', /non-existing session/, (method) =>
    handsOn((send) => method.call({ getByUid: () => [{ send }], uidMap: [[{ send }]] }, 0, probe)),
  ),
};

/** SHA-256 of the source of `pushMessage` of the remote `sys.channelRemote`, without white space: pomelo 2.2's, pinus 1.7's. */
const PUSH_MESSAGES = [
  '8993f36fe58350b63bd5571d9aa681954fe271bf9fa818433beb5d9c28c383a0',
  'ed8f80401c200a02a2b1ee159514064d8906ad311d4065e7357c94001105999c',
];

/** The whole of it: what an edited copy does besides must be done. It is not called to find out, because it writes to the log. */
function isPushMessage(source) {
  const hash = createHash('sha256').update(source.replace(/\s+/g, '')).digest('hex');
  return PUSH_MESSAGES.includes(hash);
}

/** The source of a method of pomelo's session component, whose methods only call those of the service. */
const PASSES_ON =
  /^function\s*\(\)\s*\{\s*return (\w+)\.service\[\w+\]\.apply\(\1\.service,\s*arguments\);?\s*\}$/;

const passing = new WeakMap();

/** Returns whether method `name`, one of `SERVICE`, of an app's `sessionService` is the framework's own. */
function isServiceMethod(sessionService, name) {
  const owner = ownerOf(sessionService, name);
  return SERVICE[name](owner[name], owner);
}

/** Returns the object on which `sessionService` calls method `name`: itself, or the service of pomelo's component. */
function ownerOf(sessionService, name) {
  const { [name]: method, service } = sessionService;
  return passesOn(method) && service ? service : sessionService;
}

/** Checked once for each function: an app has one component, and each of its methods is a function of its own. */
function passesOn(method) {
  if (typeof method !== 'function') {
    return false;
  }
  let known = passing.get(method);
  if (known === undefined) {
    known = PASSES_ON.test(sourceOf.call(method));
    passing.set(method, known);
  }
  return known;
}

/** Makes a predicate `(method, object)` for methods called `name`. */
function original(name, source, behaves = () => true) {
  const known = new WeakMap();
  let last;
  return (method, object) => {
    if (method === last && method !== undefined) {
      return true;
    }
    if (typeof method !== 'function') {
      return false;
    }
    if (!known.has(method)) {
      const isInherited = Object.getPrototypeOf(object)[name] === method;
      known.set(method, isInherited && source.test(sourceOf.call(method)) && behaves(method));
    }
    if (known.get(method)) {
      last = method;
      return true;
    }
    return false;
  };
}

/** Returns whether `call` calls its argument exactly once, with the probe itself. */
function handsOn(call) {
  const given = [];
  try {
    call((bytes) => given.push(bytes));
  } catch {
    return false;
  }
  return given.length === 1 && given[0] === probe;
}

/** Makes what `send` of ws 1 and ws 8 take for an open server-side WebSocket without extensions. */
function webSocket(send) {
  return { readyState: 1, _isServer: true, extensions: {}, _extensions: {}, _sender: { send } };
}
