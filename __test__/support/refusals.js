'use strict';

/** Asserts that the constructor refuses values of an option, with an error that says what is wrong. */

const assert = require('node:assert');
const { refusal } = require('./service');

const CODE = 'ERR_GLOBAL_CHANNEL_INVALID_OPTION';

/** What an error shows of a value, whatever the exact form: 1.5, NaN, {, Symbol(s), nothing of a function. */
function shown(value) {
  if (typeof value === 'function') return '';
  if (typeof value === 'object') return Array.isArray(value) ? '[' : '{';
  return String(value);
}

/** `name` may be `a.b`: field `b` of option `a`. `accepted` must match what the error says is accepted. */
function assertRefused(name, values, accepted) {
  const [option, field] = name.split('.');
  for (const value of values) {
    const err = refusal({ [option]: field ? { [field]: value } : value });
    const title = `${name}: ${typeof value} ${String(value)}`;
    assert.ok(err instanceof Error, `${title} was accepted`);
    assert.strictEqual(err.code, CODE, title);
    assert.ok(err.message.startsWith(`option ${name} is `), `${title}: ${err.message}`);
    assert.ok(err.message.includes(shown(value)), `${title}: ${err.message}`);
    assert.match(err.message, accepted, title);
  }
}

module.exports = { assertRefused, CODE };
