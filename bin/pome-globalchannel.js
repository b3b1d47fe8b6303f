#!/usr/bin/env node
'use strict';

// The command line: `npx pome-globalchannel COMMAND`. The commands are in lib/cli/commands.js; here they are run, and the exit
// code is set.

const { parse } = require('../lib/cli/arguments');
const { commands } = require('../lib/cli/commands');
const { CODES, codeOf, endAtSignals } = require('../lib/cli/exit');
const { helpOf, overview, usage } = require('../lib/cli/help');
const { visible } = require('../lib/cli/output');

function fail(err) {
  const cause = err.cause ? `: ${err.cause.message}` : '';
  console.error(`pome-globalchannel: ${visible(`${err.message}${cause}`)}`);
  if (err.hint) console.error(err.hint);
  process.exitCode = codeOf(err);
}

async function main(args) {
  // The reader closed the pipe, as `head` does: this does not change the exit code.
  process.stdout.on('error', (err) => process.exit(err.code === 'EPIPE' ? process.exitCode : 1));
  if (!require('util').parseArgs) {
    console.error(`pome-globalchannel needs Node 16.17 or newer; this is ${process.version}`);
    process.exit(CODES.FAILED);
  }
  let parsed;
  try {
    parsed = parse(args, commands);
  } catch (err) {
    const { command } = err;
    const how = command ? `Usage:\n${usage(command)}` : overview();
    console.error(`pome-globalchannel: ${err.message}\n\n${how}`);
    process.exitCode = CODES.USAGE;
    return;
  }
  if (parsed.help) {
    process.stdout.write(parsed.name ? helpOf(parsed.name) : overview());
    return;
  }
  endAtSignals();
  try {
    process.exitCode = await commands[parsed.name].run(parsed.values);
  } catch (err) {
    fail(err);
  }
}

main(process.argv.slice(2));
