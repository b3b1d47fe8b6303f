'use strict';

// Whether a method of a socket is the framework's own. One that an app or a library has put in its place has to be called,
// whatever it does: such a socket is left to the framework.
//
// It is the framework's if it is found on the prototype, its source is what we know (names of properties only, so that a
// bundle may be minified), and it hands on the very bytes that it was given. That is found out once for each function.

const sourceOf = Function.prototype.toString;

const probe = Buffer.from('probe');
const callback = () => {};

module.exports = {
  isSessionSend: original('send', /\{\s*this\.__socket__\.send\(\s*\w+\s*\);?\s*\}$/),
  // What it makes of a message is what is sent, see frames.js.
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
};

/** Makes a test for methods of that name: `(method, object)`. */
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

/** Whether `call` calls what it is given once, with the bytes of the probe. */
function handsOn(call) {
  const given = [];
  try {
    call((bytes) => given.push(bytes));
  } catch {
    return false;
  }
  return given.length === 1 && given[0] === probe;
}

/** An open WebSocket of a server, of either version of ws, without extensions. */
function webSocket(send) {
  return { readyState: 1, _isServer: true, extensions: {}, _extensions: {}, _sender: { send } };
}
