'use strict';
// What the scripts of socket.html expect around them, so that pomelo's client runs as npm has it.
// They were made for the package manager `component`: each sets `module.exports`, and the client
// looks for `protobuf`, `Protocol` and `EventEmitter` among the globals.

window.protobuf = {
  // The client calls it by the name that it has in Node's version of the package.
  decodeStr: (route, bytes) => window.protobuf.decode(route, bytes),
};
// The protobuf script puts its methods into `module.exports`.
window.module = { exports: window.protobuf };

Object.defineProperty(window, 'EventEmitter', { get: () => window.Emitter });
