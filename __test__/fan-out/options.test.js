'use strict';

/**
 * Option `fanOut` and its fields: wrong values throw from the constructor, and the message names the option, its
 * value and what is accepted; right values are accepted in every form. What it does is in the other files here.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { logged } = require('../support/log');
const { ours } = require('../support/rows');
const { create, refusal, stopAll } = require('../support/service');

const CODE = 'ERR_GLOBAL_CHANNEL_INVALID_OPTION';
const BYTES = [-1, '-1', 1.5, NaN, Infinity, 'much', '64kb', true, {}, [], () => 1];
const within = (field) => (value) => ({ fanOut: { [field]: value } });

/** option → [wrong values, how one is given, what must be named as accepted] */
const WRONG = {
  fanOut: [
    [1, 0, 'yes', 'true', [], () => 1, Symbol('s'), 5n],
    (fanOut) => ({ fanOut }),
    /true, false or \{deflateThreshold, maxBuffered, onSlow, lists\}/,
  ],
  'fanOut.deflateThreshold': [BYTES, within('deflateThreshold'), /whole number from 0/],
  'fanOut.maxBuffered': [BYTES, within('maxBuffered'), /whole number from 0/],
  'fanOut.onSlow': [['wait', 'Drop', 1, true, {}, []], within('onSlow'), /'drop' or 'close'/],
  'fanOut.lists': [[1, 0, 'yes', {}, []], within('lists'), /true or false/],
};

/** How a value is shown, whatever the exact form. */
function shown(value) {
  if (typeof value === 'function') return '';
  if (typeof value === 'object') return Array.isArray(value) ? '[' : '{';
  return String(value);
}

describe('Option fanOut', () => {
  afterEach(stopAll);

  for (const [option, [values, given, accepted]] of Object.entries(WRONG)) {
    ours(`wrong ${option}: the error names it, the value and what is accepted`, () => {
      for (const value of values) {
        const title = `${option}: ${typeof value} ${String(value)}`;
        const err = refusal(given(value));
        assert.ok(err instanceof Error, `${title} was accepted`);
        assert.strictEqual(err.code, CODE, title);
        assert.ok(err.message.includes(`option ${option} is `), `${title}: ${err.message}`);
        assert.ok(err.message.includes(shown(value)), `${title}: ${err.message}`);
        assert.match(err.message, accepted, title);
      }
    });
  }

  ours('right values are accepted in every form, and nothing is logged', async () => {
    const all = { deflateThreshold: 0, maxBuffered: '1000000', onSlow: 'close', lists: false };
    const lines = await logged(() => {
      for (const fanOut of [true, false, null, undefined, {}, all]) create({ fanOut });
      for (const field of Object.keys(all)) create({ fanOut: { [field]: null } });
    });
    assert.deepStrictEqual(lines, []);
  });

  ours('an unknown field is named in the log, and ignored', async () => {
    const lines = await logged(() => create({ fanOut: { maxBuffer: 5 } }));
    assert.strictEqual(lines.length, 1);
    assert.match(lines[0], /unknown option "fanOut.maxBuffer" is ignored/);
  });

  ours('its values may be seen when the service is printed', () => {
    const fanOut = { deflateThreshold: 2048, maxBuffered: 5, onSlow: 'drop', lists: true };
    assert.deepStrictEqual(create({ fanOut }).toJSON().opts, { fanOut });
  });
});
