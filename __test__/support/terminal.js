'use strict';

/** Loaded before a program (`node --require`): its stderr counts as a terminal of 60 columns, though the test reads it. */

Object.defineProperty(process.stderr, 'isTTY', { value: true });
Object.defineProperty(process.stderr, 'columns', { value: 60 });
