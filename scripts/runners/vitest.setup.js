'use strict';

/** Vitest loads CommonJS modules with Node's own `require`: here `node:test` becomes node-test.js. */

const Module = require('node:module');
const path = require('node:path');

const load = Module._load;

Module._load = function (request, ...rest) {
  return load.call(
    this,
    request === 'node:test' ? path.join(__dirname, 'node-test.js') : request,
    ...rest,
  );
};
