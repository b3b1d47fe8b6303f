'use strict';
/**
 * A preload (`node -r loopback.js app.js`) that makes servers listen on 127.0.0.1 where no host
 * is given: pomelo's and pinus's RPC, master and client ports would otherwise be open to the
 * network while the demo or a test runs. Kept out of the package: a user's servers are the user's.
 */

const { Server } = require('net');

const LOOPBACK = '127.0.0.1';
const { listen } = Server.prototype;

// listen(port[, host][, backlog][, cb]) and listen({port[, host]}[, cb]); paths and handles pass.
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
