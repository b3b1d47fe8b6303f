'use strict';
/**
 * A reporter of `node --test` for programs: one line of JSON for each test that failed, `{failure: {title, text}}`, and
 * one for each total, `{total: 'pass', count: 776}`. `text` is the error and what was printed while the test ran, which
 * is where the package's log lines are. What people read is the spec reporter's.
 */
const { inspect } = require('node:util');

/** Of what a test printed, so many lines. */
const LINES = 20;

module.exports = async function* reporter(source) {
  const names = [];
  let printed = [];
  for await (const { type, data } of source) {
    if (type === 'test:start') names[data.nesting] = data.name;
    if (type === 'test:stdout' || type === 'test:stderr') {
      printed = [...printed, ...data.message.trimEnd().split('\n')].slice(-LINES);
    }
    if (type === 'test:fail' && failsByItself(data.details.error)) {
      const title = [...names.slice(0, data.nesting), data.name].join(' > ');
      yield line({ failure: { title, text: textOf(data.details.error, printed) } });
    }
    if (type === 'test:pass' || type === 'test:fail') printed = [];
    const total = type === 'test:diagnostic' && /^(\w+) (\d+)$/.exec(data.message);
    if (total && data.nesting === 0) yield line({ total: total[1], count: Number(total[2]) });
  }
};

const line = (value) => `${JSON.stringify(value)}\n`;

/** A suite fails with its tests, which are reported themselves. */
const failsByItself = ({ failureType }) => failureType !== 'subtestsFailed';

function textOf(error, printed) {
  const { cause } = error;
  const text = cause instanceof Error || typeof cause === 'object' ? inspect(cause) : String(cause);
  const words = cause === undefined ? inspect(error) : text;
  return printed.length > 0 ? `${words}\nPrinted meanwhile:\n  ${printed.join('\n  ')}` : words;
}
