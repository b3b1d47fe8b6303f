'use strict';

/** A plugin for pomelo that does nothing: a server with it is one without ours. */

const path = require('path');

module.exports = { components: path.join(__dirname, 'components') };
