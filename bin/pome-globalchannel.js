#!/usr/bin/env node
'use strict';

// The command line: `npx pome-globalchannel copy` and `list`. Parses arguments, prints, and sets the exit code; copying
// itself is in src/inventory/. The options are few, so Node's own parseArgs is enough and no run-time dependency is
// needed.

const { once } = require('events');
const { parseArgs } = require('util');

const USAGE = `Usage:
  pome-globalchannel copy --from ADDRESS --to ADDRESS [--prefix PREFIX]
                          [--from-layout FORK [--to-prefix PREFIX]]
  pome-globalchannel list --from ADDRESS [--prefix PREFIX] [--from-layout FORK [--to-prefix PREFIX]]

copy   adds all members of one store to another, and compares the counts. It removes nothing, and may be
       interrupted and run again. Stop the servers first: what changes meanwhile is reported, not followed.
list   prints a line of JSON for each channel and frontend: {"key":…,"members":[…]}

An ADDRESS is one of
  redis://[[user][:password]@]host[:port][/db]; rediss:// for TLS, with the CAs of the system;
                    valkey:// and valkeys:// mean the same
  unix:///path      both may have parameters: ?db=n&username=…&password=…&tls=true
  redis+cluster://[[user][:password]@]host[:port][,host[:port]…][/db]
                    some nodes of a Redis Cluster, with the same parameters; rediss+cluster:// for TLS
  redis+sentinel://[[user][:password]@]host[:port][,host[:port]…]/NAME[/db]
                    the primary NAME, by its sentinels; parameters sentinelUsername and sentinelPassword
  embedded:FOLDER   a relative one begins at the current directory, not at the folder of the app;
                    FOLDER?localFileSystem=true as that option of the services

PREFIX is the option prefix of the service; POMELO:CHANNEL by default.

FORK is aslijia, dbrugne, dubanflorin, ertko, frank198, homolumo, netease (0.0.7 itself), pofresh, pome or whtiehack: the
channels in FROM are in the layout of that fork, --prefix is its prefix (its own default without), and they are copied or
printed in the layout of 0.0.7. Their keys get the prefix of --to-prefix; without it --prefix, or POMELO:CHANNEL.

Exit codes: 0 done, and the counts agree; 1 not; 2 wrong usage.
`;

const ADDRESSES = { copy: ['from', 'to'], list: ['from'] };

/** The options that take a text, as they are called here. */
const TEXTS = {
  from: 'from',
  to: 'to',
  prefix: 'prefix',
  'from-layout': 'fromLayout',
  'to-prefix': 'toPrefix',
};

/** Parses the arguments to a command and its options; returns an error message for arguments that are not valid. */
function parse(args) {
  const text = { type: 'string', multiple: true };
  const options = { help: { type: 'boolean', short: 'h' } };
  for (const option of Object.keys(TEXTS)) options[option] = text;
  const { values: given, positionals } = parseArgs({ args, options, allowPositionals: true });
  const values = { help: given.help };
  for (const [option, name] of Object.entries(TEXTS)) {
    const [value, ...others] = given[option] || [];
    if (others.length > 0) throw new TypeError(`give --${option} once`);
    values[name] = value;
  }
  const [command, ...rest] = positionals;
  if (values.help) return { command: 'help', values };
  if (!Object.prototype.hasOwnProperty.call(ADDRESSES, command)) {
    // Not shown: it may be an address in the wrong place, with a password.
    throw new TypeError(command ? 'no such command' : 'no command');
  }
  if (rest.length > 0) throw new TypeError(`${command} takes no arguments but options`);
  for (const name of ADDRESSES[command]) {
    if (!values[name]) throw new TypeError(`${command} needs --${name} ADDRESS`);
  }
  if (command === 'list' && values.to) throw new TypeError('list takes no --to');
  return { command, values };
}

const plural = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;
const howMany = ({ keys, members }) => `${plural(keys, 'channel')}, ${plural(members, 'member')}`;

/** Shows the progress on stderr: on a terminal one line that is rewritten, else a new line from time to time. */
function progressLine() {
  const { stderr } = process;
  let told = Date.now();
  return {
    show({ keys, members }) {
      if (!stderr.isTTY && Date.now() - told < 1000) return;
      told = Date.now();
      const line = howMany({ keys, members });
      stderr.write(stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
    },
    end() {
      if (stderr.isTTY) stderr.write('\r\x1b[K');
    },
  };
}

async function copy(values) {
  const { copyStore } = require('../lib/stores');
  const begin = Date.now();
  const line = progressLine();
  let report;
  try {
    report = await copyStore({ ...values, onProgress: line.show, onNote: warn });
  } finally {
    line.end();
  }
  const seconds = ((Date.now() - begin) / 1000).toFixed(1);
  console.log(`${howMany(report)}, ${seconds} s`);
  for (const line of report.leftOut) console.log(`left out: ${line}`);
  tell('not taken in full', report.refused, ({ key, why }) => `${JSON.stringify(key)}: ${why}`);
  tell(
    'counts differ',
    report.differing,
    ({ key, source, target }) =>
      `${JSON.stringify(key)}: ${source} in the source, ${target} in the target`,
  );
  if (report.verified) console.log('verified: the counts of all channels agree');
  else process.exitCode = 1;
}

function warn(note) {
  console.error(`pome-globalchannel: ${note}`);
}

function tell(title, { count, first }, describe) {
  if (count === 0) return;
  console.log(`${title}: ${plural(count, 'channel')}`);
  for (const one of first) console.log(`  ${describe(one)}`);
  if (count > first.length) console.log(`  … and ${count - first.length} more`);
}

async function list(values) {
  const { listStore } = require('../lib/stores');
  for await (const text of listStore({ ...values, onNote: warn })) {
    if (!process.stdout.write(text)) await once(process.stdout, 'drain');
  }
}

async function help() {
  process.stdout.write(USAGE);
}

const USAGE_CODES = ['ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT', 'ERR_GLOBAL_CHANNEL_INVALID_OPTION'];

function fail(err) {
  const usage = USAGE_CODES.includes(err.code);
  console.error(`pome-globalchannel: ${err.message}${err.cause ? `: ${err.cause.message}` : ''}`);
  if (err.code === 'ERR_GLOBAL_CHANNEL_DISCONNECTED') {
    console.error('Run it again: what was copied stays, and adding it again does no harm.');
  }
  process.exitCode = usage ? 2 : 1;
}

async function main(args) {
  // The reader closed the pipe, as `head` does: this does not change the exit code.
  process.stdout.on('error', (err) => process.exit(err.code === 'EPIPE' ? process.exitCode : 1));
  if (!parseArgs) {
    console.error(`pome-globalchannel needs Node 16.17 or newer; this is ${process.version}`);
    process.exit(1);
  }
  let parsed;
  try {
    parsed = parse(args);
  } catch (err) {
    console.error(`pome-globalchannel: ${err.message}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  await { copy, list, help }[parsed.command](parsed.values).catch(fail);
}

main(process.argv.slice(2));
