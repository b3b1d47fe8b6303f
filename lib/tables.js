'use strict';

// Constants that Rust and JavaScript share, read from the addon (src/binding/tables.rs): the table of methods, the
// words of the tape, the kinds of failures.

const { tables } = require('./native');

module.exports = tables();
