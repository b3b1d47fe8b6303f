'use strict';

// Parses the arguments to a command and its options, by the table of commands.js. The options are few, so Node's own parseArgs is
// enough.

const { parseArgs } = require('util');

/** All options: how the command line calls them, whether they take a value, and how usage shows it. */
const OPTIONS = {
  from: { value: 'ADDRESS' },
  to: { value: 'ADDRESS' },
  prefix: { value: 'PREFIX' },
  'hash-tag': {},
  'from-layout': { value: 'FORK' },
  'to-prefix': { value: 'PREFIX' },
  match: { value: 'GLOB' },
  sid: { value: 'SID' },
  limit: { value: 'N', isNumber: true },
  cursor: { value: 'CURSOR' },
  port: { value: 'N', isNumber: true },
  json: {},
  'dry-run': {},
  events: {},
};

const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());

/**
 * Returns `{name, values}`, or `{help: true, name}` if help is asked for. Throws a TypeError for arguments that are not valid; it
 * shows none of them, because it may be an address in the wrong place, with a password.
 */
function parse(args, commands) {
  const options = { help: { type: 'boolean', short: 'h' } };
  for (const [option, { value }] of Object.entries(OPTIONS)) {
    options[option] = value ? { type: 'string', multiple: true } : { type: 'boolean' };
  }
  const { values: given, positionals } = parseArgs({ args, options, allowPositionals: true });
  const [name, ...rest] = positionals;
  const isCommand = Object.prototype.hasOwnProperty.call(commands, name);
  if (given.help) return { help: true, name: isCommand ? name : undefined };
  if (!isCommand) throw new TypeError(name === undefined ? 'no command' : 'no such command');
  const command = commands[name];
  const values = {};
  for (const [option, value] of Object.entries(given)) {
    if (!takes(command, option)) throw wrong(name, `${name} takes no --${option}`);
    values[camel(option)] = OPTIONS[option].value ? single(name, option, value) : value;
  }
  for (const option of command.needs) {
    if (values[camel(option)]) continue;
    throw wrong(name, `${name} needs --${option} ${OPTIONS[option].value}`);
  }
  const { argument } = command;
  if (rest.length > (argument ? 1 : 0)) {
    throw wrong(name, `${name} takes no arguments but ${argument ? 'one and ' : ''}options`);
  }
  if (argument) {
    if (rest.length === 0) throw wrong(name, `${name} needs ${argument.toUpperCase()}`);
    [values[argument]] = rest;
  }
  return { name, values };
}

const takes = ({ needs, takes: others }, option) =>
  needs.includes(option) || others.includes(option);

function single(name, option, [value, ...others]) {
  if (others.length > 0) throw wrong(name, `give --${option} once`);
  if (!OPTIONS[option].isNumber) return value;
  if (/^[0-9]{1,9}$/.test(value)) return Number(value);
  throw wrong(name, `--${option} must be a whole number`);
}

const wrong = (command, words) => Object.assign(new TypeError(words), { command });

/** Returns the first line of a command's usage. */
function usageOf(name, { argument, needs, takes: others }) {
  const word = (option) => `--${option}${OPTIONS[option].value ? ` ${OPTIONS[option].value}` : ''}`;
  const words = [...needs.map(word), ...others.map((option) => `[${word(option)}]`)];
  return [`pome-globalchannel ${name}`, ...(argument ? [argument.toUpperCase()] : []), ...words];
}

module.exports = { parse, usageOf };
