'use strict';
/**
 * A preload (`node -r loopback.js app.js`) that makes servers listen on 127.0.0.1 if no host is given. Otherwise the RPC,
 * master and client ports of pomelo and pinus would be open to the network while the demo or a test runs.
 */

const { Server } = require('net');

const LOOPBACK = '127.0.0.1';
const { listen } = Server.prototype;

// For listen(port[, host][, backlog][, cb]) and listen({port[, host]}[, cb]); paths and handles are left as they are.
Server.prototype.listen = function (first, ...rest) {
  const isPort = typeof first === 'number' || (typeof first === 'string' && /^\d+$/.test(first));
  if (isPort && typeof rest[0] !== 'string') {
    if (rest[0] === undefined || rest[0] === null) rest.shift();
    return listen.call(this, first, LOOPBACK, ...rest);
  }
  if (first !== null && typeof first === 'object' && first.port !== undefined && !first.host) {
    return listen.call(this, { ...first, host: LOOPBACK }, ...rest);
  }
  return listen.call(this, first, ...rest);
};
