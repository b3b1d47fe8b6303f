'use strict';

/**
 * The documentation against the package: links and file names exist, the README stays short, and docs/OPTIONS.md and
 * index.d.ts have the options of the table (src/options/table.rs), with their defaults. That linked files are in the package is tested in pack.test.js.
 */

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const { optionTable } = require('../lib/native');
const { anchors, commentedPaths, links, paths } = require('./support/markdown');

const root = path.join(__dirname, '..');
const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');
const markdown = (folder) =>
  fs.readdirSync(path.join(root, folder)).filter((f) => f.endsWith('.md'));

const files = [...markdown('.'), ...markdown('docs').map((file) => `docs/${file}`)];

/** All files below a folder, by their paths in the repository, without npm packages. */
function tree(folder) {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules') return [];
    const file = path.posix.join(folder, entry.name);
    return entry.isDirectory() ? tree(file) : [file];
  });
}

/** The options that do something. */
const effective = optionTable().filter(({ ignored }) => !ignored);
const known = (name) => effective.find((row) => row.name === name);

/** The fields of an interface of index.d.ts, each with the comment before it. */
function fields(name) {
  const body = new RegExp(`^export interface ${name} \\{\\n([^]*?)^\\}`, 'm').exec(
    read('index.d.ts'),
  );
  const found = body[1].matchAll(/^( {2}\/\*\*(?:(?!\*\/)[^])*\*\/\n)? {2}(\w+)\??:/gm);
  return Array.from(found, ([, comment = '', field]) => [field, comment]);
}

/**
 * The options in the first column of a file's tables, with the default in the second one and the heading above. The
 * names in a table of fields, which is headed `field`, are those of the option named in the line before it.
 */
function rowsOf(file) {
  const rows = [];
  let [heading, owner, prefix] = ['', '', ''];
  for (const line of read(file).split('\n')) {
    if (line.startsWith('#')) heading = line.replace(/^#+ /, '');
    const [, ofOption] = /^The fields of `(\w+)`:$/.exec(line) || [];
    if (ofOption) owner = `${ofOption}.`;
    if (/^\| (option|field) /.test(line)) prefix = line.startsWith('| field') ? owner : '';
    if (!line.startsWith('| `')) continue;
    const [, names, values] = line.split(/(?<!\\)\|/);
    const defaults = values.trim().split(/, */);
    names.split(',').forEach((name, index) => {
      const value = (defaults[index] || '').replaceAll('`', '');
      rows.push({ name: prefix + name.trim().replaceAll('`', ''), value, heading });
    });
  }
  return rows;
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

  it('names in docs/ARCHITECTURE.md only files and folders that exist, each without ambiguity', () => {
    const sources = ['src', 'lib', 'bin', '__test__'].flatMap(tree);
    const named = paths(read('docs/ARCHITECTURE.md'));
    assert.ok(named.includes('driver/mod.rs') && named.includes('src/binding/'), `${named}`);
    const matches = (name) =>
      name.endsWith('/')
        ? sources.some((file) => `/${file}`.includes(`/${name}`))
        : [...sources, 'index.js'].filter((file) => `/${file}`.endsWith(`/${name}`)).length === 1;
    assert.deepStrictEqual(
      named.filter((name) => !matches(name)),
      [],
    );
  });

  it('names in docs/ARCHITECTURE.md every file and folder of src/ and lib/', () => {
    const named = paths(read('docs/ARCHITECTURE.md'));
    const files = ['src', 'lib'].flatMap((folder) =>
      fs
        .readdirSync(path.join(root, folder), { withFileTypes: true })
        .map((entry) => `${folder}/${entry.name}${entry.isDirectory() ? '/' : ''}`),
    );
    assert.deepStrictEqual(
      files.filter((file) => !named.some((name) => `/${file}`.endsWith(`/${name}`))),
      ['lib/components/'], // by its only file
    );
  });

  it('names in comments only files that exist', () => {
    const sources = ['src', 'lib', 'bin', 'benchmark', 'scripts', 'demo', 'docs', '__test__']
      .flatMap(tree)
      .concat(fs.readdirSync(root));
    const commented = sources.filter((file) => /^(?!docs).*\.(js|rs|c|d\.ts)$/.test(file));
    // One that the build makes, and two of Redis itself.
    const elsewhere = ['binding.js', 'util.c', 'cluster_asm.c'];
    const missing = commented.flatMap((file) =>
      commentedPaths(read(file))
        .filter((name) => !elsewhere.includes(name))
        .filter((name) => !sources.some((each) => `/${each}`.endsWith(`/${name}`)))
        .map((name) => `${file}: ${name}`),
    );
    assert.deepStrictEqual(missing, []);
  });

  it('begins with a README of at most 200 lines', () => {
    assert.ok(read('README.md').trimEnd().split('\n').length <= 200);
  });

  it('has a row in docs/OPTIONS.md for every option that has an effect, with its default, and no other', () => {
    const rows = rowsOf('docs/OPTIONS.md');
    const documented = new Set(rows.map(({ name }) => name));
    assert.deepStrictEqual(
      [...documented].filter((name) => !known(name)),
      [],
    );
    assert.deepStrictEqual(
      effective
        .map(({ name }) => name)
        .filter((name) => !documented.has(name) && !name.includes('.')),
      [],
    );
    const wrong = rows.filter(
      ({ name, value }) => known(name).default && value !== known(name).default,
    );
    assert.deepStrictEqual(wrong, []);
  });

  it('has the options of one store under its heading in docs/OPTIONS.md, and the others elsewhere', () => {
    const headings = { redis: 'Redis', embedded: 'The embedded store' };
    for (const { name, heading } of rowsOf('docs/OPTIONS.md')) {
      // Of two meanings.
      if (name === 'path') continue;
      const { store } = known(name);
      const is = Object.keys(headings).find((each) => headings[each] === heading) || 'any';
      assert.strictEqual(is, store, name);
    }
  });

  it('names in docs/OPTIONS.md the fields of an option in its row or in a table of their own', () => {
    const text = read('docs/OPTIONS.md').split('\n');
    const documented = rowsOf('docs/OPTIONS.md').map(({ name }) => name);
    for (const { name } of effective.filter((row) => row.name.includes('.'))) {
      const [option, field] = name.split('.');
      const row = text.find((line) => line.startsWith(`| \`${option}\``));
      const named = new RegExp(`\\{[^}]*\\b${field}\\b[^}]*\\}`).test(row);
      assert.ok(named || documented.includes(name), name);
    }
  });

  it('says in docs/OPTIONS.md which options have no effect', () => {
    const text = read('docs/OPTIONS.md').split('## Options of node_redis')[1];
    const [paragraph] = /^Other options of node_redis[^]*?refused\.$/m.exec(text);
    const named = Array.from(paragraph.matchAll(/`([\w.]+)(?:: true)?`/g), ([, name]) => name);
    assert.deepStrictEqual(
      [...new Set(named)].sort(),
      optionTable()
        .filter(({ ignored }) => ignored)
        .map(({ name }) => name)
        .sort(),
    );
  });

  it('has in index.d.ts every option that has an effect, with its default, and no other', () => {
    const interfaces = {
      '': 'GlobalChannelOptions',
      'tls.': 'TlsOptions',
      'sentinelTls.': 'TlsOptions',
      'fanOut.': 'FanOutOptions',
      'socket.': 'SocketOptions',
    };
    const typed = new Map();
    for (const [prefix, name] of Object.entries(interfaces)) {
      for (const [field, comment] of fields(name)) typed.set(prefix + field, comment);
    }
    // Too small for an interface of its own.
    assert.match(read('index.d.ts'), /^ {2}cache\?: boolean \| \{ maxBytes\?: /m);
    typed.set('cache.maxBytes', '');
    assert.deepStrictEqual([...typed.keys()].sort(), effective.map(({ name }) => name).sort());
    for (const [name, comment] of typed) {
      const [, value] = /@default '?([^\s',;]+)/.exec(comment) || [];
      if (value && known(name).default) assert.strictEqual(value, known(name).default, name);
    }
  });

  it('names in docs/FAN-OUT.md every field of option fanOut and of its figures', () => {
    const text = read('docs/FAN-OUT.md');
    const names = [...fields('FanOutOptions'), ...fields('FanOutStats')];
    assert.deepStrictEqual(
      names.filter(([name]) => !text.includes(`\`${name}\``)),
      [],
    );
  });

  it('names in docs/REDIS.md every field of option tls', () => {
    const text = read('docs/REDIS.md');
    const names = effective.map(({ name }) => name).filter((name) => name.startsWith('tls.'));
    assert.ok(names.length > 0);
    assert.deepStrictEqual(
      names.filter((name) => !text.includes(`\`${name.split('.')[1]}`)),
      [],
    );
  });
});
