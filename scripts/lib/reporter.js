'use strict';
/**
 * A machine-readable reporter for `node --test`: a line of JSON for each test that failed, `{failure: {title, text}}`,
 * and for each total, `{total: 'pass', count: 776}`. `text` is the error and the last lines that the test file printed,
 * including the package's log.
 */
const path = require('node:path');
const { inspect } = require('node:util');
const { root } = require('./process');

/** The number of lines of a test file's output that are kept. */
const LINES = 20;

module.exports = async function* reporter(source) {
  const names = [];
  // By file and not by test: output arrives before the results of its test.
  let printed = { lines: [] };
  for await (const { type, data } of source) {
    if (type === 'test:start') names[data.nesting] = data.name;
    if (type === 'test:stdout' || type === 'test:stderr') {
      const before = printed.file === data.file ? printed.lines : [];
      const lines = [...before, ...data.message.trimEnd().split('\n')].slice(-LINES);
      printed = { file: data.file, lines };
    }
    if (type === 'test:fail' && failsByItself(data.details.error)) {
      const title = [...names.slice(0, data.nesting), data.name].join(' > ');
      yield line({ failure: { title, text: textOf(data.details.error, printed) } });
    }
    const total = type === 'test:diagnostic' && /^(\w+) (\d+)$/.exec(data.message);
    if (total && data.nesting === 0) yield line({ total: total[1], count: Number(total[2]) });
  }
};

const line = (value) => `${JSON.stringify(value)}\n`;

/** Returns false for a suite, which fails with its tests. */
const failsByItself = ({ failureType }) => failureType !== 'subtestsFailed';

function textOf(error, { file, lines }) {
  const { cause = error } = error;
  const words = typeof cause === 'string' ? cause : inspect(cause);
  if (lines.length === 0) return words;
  return `${words}\n${path.relative(root, file || '')} printed last:\n  ${lines.join('\n  ')}`;
}
