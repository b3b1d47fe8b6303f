'use strict';

/**
 * What chaos.test.js wants in the servers of its cluster, beside membership-extension.js: each server reaches the store in its
 * own way.
 */

require('../server-options');

module.exports = require('../membership-extension');
