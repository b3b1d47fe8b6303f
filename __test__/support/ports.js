'use strict';

/** Free ports for the servers of the tests, several files of which run at a time: no two of them get the same. */

const fs = require('fs');
const ports = require('../../demo/ports');

fs.mkdirSync(ports.TAKEN, { recursive: true });

module.exports = ports;
