'use strict';

// The usage of all commands, and the help of each.

const { usageOf } = require('./arguments');
const { commands } = require('./commands');

const ADDRESS = `An ADDRESS is one of
  redis://[[user][:password]@]host[:port][/db]; rediss:// for TLS, with the CAs of the system;
                    valkey:// and valkeys:// mean the same
  unix:///path      both may have parameters: ?db=n&username=…&password=…&tls=true
  redis+cluster://[[user][:password]@]host[:port][,host[:port]…][/db]
                    some nodes of a Redis Cluster, with the same parameters; rediss+cluster:// for TLS
  redis+sentinel://[[user][:password]@]host[:port][,host[:port]…]/NAME[/db]
                    the primary NAME, by its sentinels; parameters sentinelUsername and sentinelPassword
  embedded:FOLDER   a relative one begins at the current directory, not at the folder of the app;
                    FOLDER?localFileSystem=true as that option of the services

PREFIX is the option prefix of the service; POMELO:CHANNEL by default. --hash-tag is its option hashTag.
--json prints one object in one line.
`;

const EXITS = `Exit codes: 0 done; 1 failed, or the counts of a copy differ; 2 wrong usage; 3 problems has found some; 129, 130, 143 ended by
SIGHUP, SIGINT (Ctrl-C), SIGTERM.
`;

const WIDTH = 100;

/** Returns a usage line, broken where it is too long. */
function usage(name) {
  const [first, ...words] = usageOf(name, commands[name]);
  const begin = ' '.repeat(first.length + 3);
  const lines = [`  ${first}`];
  for (const word of words) {
    const last = lines.length - 1;
    if (lines[last].length + word.length + 1 > WIDTH) lines.push(`${begin}${word}`);
    else lines[last] += ` ${word}`;
  }
  return `${lines.join('\n')}\n`;
}

/** Returns the usage of all commands. */
function overview() {
  const names = Object.keys(commands);
  const longest = Math.max(...names.map((name) => name.length));
  const summaries = names.map((name) => `${name.padEnd(longest)}  ${commands[name].summary}\n`);
  return `Usage:\n${names.map(usage).join('')}\n${summaries.join('')}\n${ADDRESS}\n${EXITS}\nCOMMAND --help tells more of a command.\n`;
}

/** Returns the help of a command. */
function helpOf(name) {
  const { summary, help } = commands[name];
  const sentence = `${name} ${summary}.`;
  return `Usage:\n${usage(name)}\n${sentence}\n\n${help}\n\n${ADDRESS}\n${EXITS}`;
}

module.exports = { overview, helpOf, usage };
