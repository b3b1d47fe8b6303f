'use strict';
// The environment that the scripts of socket.html, pomelo's client from npm, expect. They were made for the package
// manager `component`: each sets `module.exports`, and the client uses the globals `protobuf`, `Protocol` and
// `EventEmitter`.

window.protobuf = {
  // The client uses the name of the method in the package's version for Node.
  decodeStr: (route, bytes) => window.protobuf.decode(route, bytes),
};
// The protobuf script adds its methods to `module.exports`.
window.module = { exports: window.protobuf };

Object.defineProperty(window, 'EventEmitter', { get: () => window.Emitter });
