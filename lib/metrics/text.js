'use strict';

// Prometheus' text format, version 0.0.4.

const { FAMILIES } = require('./families');

const escapeHelp = (text) => text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');

const escapeLabel = (text) => escapeHelp(text).replace(/"/g, '\\"');

/** Returns a line of the text format. */
function line(name, { suffix = '', value, labels }) {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
  return `${name}${suffix}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
}

/** Returns the metrics of all `services`, `{stats, labels}` each. */
function textOf(services) {
  let text = '';
  for (const { name, type, help, samples } of FAMILIES) {
    const lines = services.flatMap(({ stats, labels }) =>
      samples(stats).map((sample) =>
        line(name, { ...sample, labels: { ...labels, ...sample.labels } }),
      ),
    );
    if (lines.length === 0) continue;
    text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`;
  }
  return text;
}

module.exports = { textOf };
