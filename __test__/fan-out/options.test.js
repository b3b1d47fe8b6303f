'use strict';

/**
 * Option `fanOut` and its fields: wrong values throw from the constructor, and the message names the option, its
 * value and what is accepted; right values are accepted in every form. What it does is in the other files here.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { logged } = require('../support/log');
const { assertRefused } = require('../support/refusals');
const { ours } = require('../support/rows');
const { create, stopAll } = require('../support/service');

const BYTES = [-1, '-1', 1.5, NaN, Infinity, 'much', '64kb', true, {}, [], () => 1];

/** option → [wrong values, what must be named as accepted] */
const WRONG = {
  fanOut: [
    [1, 0, 'yes', 'on', [], () => 1, Symbol('s'), 5n],
    /true, false or \{deflateThreshold, maxBuffered, onSlow, lists\}/,
  ],
  'fanOut.deflateThreshold': [BYTES, /whole number from 0/],
  'fanOut.maxBuffered': [BYTES, /whole number from 0/],
  'fanOut.onSlow': [['wait', 'Drop', 1, true, {}, []], /'drop' or 'close'/],
  'fanOut.lists': [[1, 0, 'yes', {}, []], /true or false/],
};

describe('Option fanOut', () => {
  afterEach(stopAll);

  for (const [option, [values, accepted]] of Object.entries(WRONG)) {
    ours(`wrong ${option}: the error names it, the value and what is accepted`, () =>
      assertRefused(option, values, accepted),
    );
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
