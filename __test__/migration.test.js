'use strict';

/**
 * docs/MIGRATION.md on forks and status plugins: each replacement of a method runs as it is written there, and the names for
 * `--from-layout` are those of the command line. That the layouts are read is tested in layouts/convert.test.js.
 */

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it, before, after } = require('node:test');
const { methods } = require('../lib/tables');
const { createApp } = require('./support/app');
const cli = require('./support/cli');
const redisServer = require('./support/redis');
const { started, stopAll } = require('./support/service');

const read = (file) => fs.readFileSync(path.join(__dirname, '..', file), 'utf8');
const [, section] = /^## Migrating from forks and status plugins\n([^]*?)^## /m.exec(
  read('docs/MIGRATION.md'),
);

/** What stands for the arguments in the table. */
const VALUES = {
  name: 'room',
  names: ['room', 'hall'],
  roomIds: ['room'],
  onesIds: ['alice'],
  uid: 'alice',
  uids: ['alice', 'bob'],
  sid: 's1',
  serverType: 'connector',
  route: 'onChat',
  msg: { t: 1 },
  opts: {},
};

const cellsOf = (line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim());

/** The rows of tables of methods: `{its, here}`. */
const rows = section.split('\n### ').flatMap((part) => {
  const lines = part.split('\n').filter((line) => line.startsWith('|'));
  if (!/^\| its method +\| here /.test(lines[0])) return [];
  return lines.slice(2).map((line) => ({ its: cellsOf(line)[1], here: cellsOf(line)[2] }));
});

/** The calls in a cell; none where an option takes the place of calls. */
const callsIn = (cell) => Array.from(cell.matchAll(/`(\w+\(.*?\))`/g), ([, call]) => call);

describe('docs/MIGRATION.md on forks', () => {
  let redis;
  let service;
  before(async () => {
    redis = await redisServer.start();
    service = await started(redis, { membership: 'session' }, createApp());
  });
  after(async () => {
    await stopAll();
    await redis.stop();
  });

  it('has for each method of a fork a call of ours, or says that there is none', () => {
    assert.ok(rows.length > 25, `${rows.length} rows`);
    for (const { its, here } of rows) {
      assert.ok(callsIn(its).length > 0, its);
      const isAnswer = callsIn(here).length > 0 || here === '–' || here.includes('option `');
      assert.ok(isAnswer, `${its}: ${here}`);
    }
  });

  const replacements = [...new Set(rows.flatMap(({ here }) => callsIn(here)))];
  for (const replacement of replacements) {
    it(`${replacement} runs`, async () => {
      const [, method] = /^(\w+)\(/.exec(replacement);
      assert.ok(methods[method], method);
      const run = new Function('channel', ...Object.keys(VALUES), `return channel.${replacement};`);
      await run(service.promises, ...Object.values(VALUES));
    });
  }

  it('names the layouts of the command line, as docs/CLI.md and its usage do', async () => {
    const { stderr } = await cli.run(['list', '--from', 'redis://h', '--from-layout', 'none']);
    const [, known] = /known are (.*)\n/.exec(stderr);
    const { stdout } = await cli.run(['copy', '--help']);
    const names = known.split(', ');
    const [keys] = section.split('### ').filter((part) => part.startsWith('Their keys'));
    const columns = (text, column) =>
      text
        .split('\n')
        .filter((line) => line.startsWith('|'))
        .flatMap((line) => Array.from((cellsOf(line)[column] || '').matchAll(/`(\w+)`/g)))
        .map(([, name]) => name);
    const [, layouts] = read('docs/CLI.md').split('## Layouts of forks');
    assert.deepStrictEqual(
      columns(keys, 2)
        .filter((name) => name !== 'copy')
        .sort(),
      names,
    );
    assert.deepStrictEqual(columns(layouts, 1).sort(), names);
    for (const name of names) assert.match(stdout, new RegExp(`\\b${name}\\b`));
  });
});
