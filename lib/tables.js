'use strict';

// What both languages know, as the addon has it (src/binding/tables.rs): the methods, the words of the
// tape, the kinds of failures.

const { tables } = require('./native');

module.exports = tables();
