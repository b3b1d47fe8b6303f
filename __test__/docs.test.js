'use strict';

/**
 * The documentation as a reader follows it: its links lead somewhere, the README stays short, and every
 * option has its row.
 *
 * Does not live here: that what is linked is in the package (pack.test.js).
 */

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const { anchors, links } = require('./support/markdown');

const root = path.join(__dirname, '..');
const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');
const markdown = (folder) =>
  fs.readdirSync(path.join(root, folder)).filter((f) => f.endsWith('.md'));

const files = [...markdown('.'), ...markdown('docs').map((file) => `docs/${file}`)];

/** The fields of an interface of index.d.ts. */
function fields(name) {
  const body = new RegExp(`^export interface ${name} \\{\\n([^]*?)^\\}`, 'm').exec(
    read('index.d.ts'),
  );
  return [...body[1].matchAll(/^ {2}(\w+)\??:/gm)].map(([, field]) => field);
}

describe('the documentation', () => {
  it('has links to files and headings that are there', () => {
    const broken = files.flatMap((from) =>
      links(read(from))
        .filter((link) => {
          const [target, anchor] = link.split('#');
          const file = target ? path.posix.join(path.posix.dirname(from), target) : from;
          if (!fs.existsSync(path.join(root, file))) return true;
          return anchor !== undefined && !anchors(read(file)).includes(anchor);
        })
        .map((link) => `${from}: ${link}`),
    );
    assert.deepStrictEqual(broken, []);
  });

  it('is linked from the README, all that is for users of the package', () => {
    const linked = links(read('README.md')).map((link) => link.split('#')[0]);
    assert.deepStrictEqual(
      files.filter((file) => file !== 'README.md' && !linked.includes(file)),
      [],
    );
  });

  it('begins with a README of at most 200 lines', () => {
    assert.ok(read('README.md').trimEnd().split('\n').length <= 200);
  });

  it('has a row in docs/OPTIONS.md for every option', () => {
    const rows = read('docs/OPTIONS.md')
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    const options = fields('GlobalChannelOptions');
    assert.ok(options.includes('store') && options.includes('connect_timeout'), `${options}`);
    assert.deepStrictEqual(
      options.filter((option) => !rows.some((row) => row.includes(`\`${option}\``))),
      [],
    );
  });

  it('names in docs/FAN-OUT.md every field of option fanOut and of its figures', () => {
    const text = read('docs/FAN-OUT.md');
    const names = [...fields('FanOutOptions'), ...fields('FanOutStats')];
    assert.deepStrictEqual(
      names.filter((name) => !text.includes(`\`${name}\``)),
      [],
    );
  });

  it('names in docs/REDIS.md every field of option tls', () => {
    const text = read('docs/REDIS.md');
    assert.deepStrictEqual(
      fields('TlsOptions').filter((field) => !text.includes(`\`${field}`)),
      [],
    );
  });
});
