'use strict';

// Loads the compiled addon. binding.js, which `napi build` generates, chooses the file; of its errors this makes one whose
// first line says which file failed and why, because pomelo logs no causes.

const fs = require('fs');
const path = require('path');

const { makeError } = require('./realm');

const NAME = 'pome-globalchannel-plugin';
const BUILT_FOR =
  'linux x64/arm64 (glibc 2.17 or later, and musl), macOS x64/arm64, Windows x64; elsewhere build it from source';
const BUILD = `install Rust and a C compiler and run 'npm run build' in the folder of the package`;

/** Messages that say that a file, or an addon for this platform, is not there. binding.js drops the codes. */
const ABSENT =
  /^(Cannot find (module|package|native binding)|Unsupported (OS|architecture)|Failed to load native binding)|tried to access .* but /i;

/** What other messages mean, those of Node and of the systems' loaders, and what to do. */
const REASONS = [
  [/version [`']?GLIBC_[\d.]+'? not found/, `the glibc of this system is too old for it: ${BUILD}`],
  [
    /loading addons is disabled/,
    "Node's permission model forbids addons: start Node with --allow-addons",
  ],
  [
    /Access to this API has been restricted/,
    "Node's permission model forbids to read it: see --allow-fs-read",
  ],
  [
    /failed to map segment(?![^]*Cannot allocate)/,
    'its file system is mounted noexec, or a policy forbids to execute it: move the package',
  ],
  [/Permission denied|EACCES/, 'this user may not read it'],
  [
    /file too short|invalid ELF header|wrong ELF class|not a mach-o|slice is not valid|not a valid Win32/i,
    'it is damaged, or built for another system: install the package again',
  ],
  [
    /: cannot open shared object file: No such file|Error loading shared library|Library not loaded/,
    'a library of the system that it needs is missing',
  ],
];

function load() {
  try {
    const binding = require('../binding.js');
    binding.installErrors(makeError);
    return binding;
  } catch (cause) {
    const error = new Error(explain(messagesOf(cause)));
    error.cause = cause;
    throw error;
  }
}

/** Returns the messages of an error and its causes: binding.js chains the errors of all files that it has tried. */
function messagesOf(error) {
  const messages = [];
  for (let each = error; each && messages.length < 100; each = each.cause) {
    messages.push(String(each.message));
  }
  return messages;
}

function explain(messages) {
  const file = process.env.NAPI_RS_NATIVE_LIBRARY_PATH;
  const failed = messages.find((message) => !ABSENT.test(message));
  if (failed !== undefined) {
    const [, hint] = REASONS.find(([pattern]) => pattern.test(failed)) || [];
    const named = file || fileIn(failed) || besides();
    // The loaders' messages begin with the file.
    const words = firstLine(failed).replace(`${named}: `, '');
    return `${NAME}: cannot load its compiled addon ${named}: ${hint ? `${hint} (${words})` : words}`;
  }
  if (file) {
    return `${NAME}: there is no ${file}, which NAPI_RS_NATIVE_LIBRARY_PATH names as its compiled addon`;
  }
  // The first message is binding.js's own, which advises to remove package-lock.json whatever happened.
  const tried = messages.length > 1 ? messages.slice(1) : messages;
  return (
    `${NAME} has no compiled addon for ${process.platform}-${process.arch} (Node ${process.version}). ` +
    `Released packages carry it for ${BUILT_FOR}: ${BUILD}. What went wrong: ${tried.map(firstLine).join('; ')}`
  );
}

/** Returns the file that a message names, if it names one. */
function fileIn(message) {
  const [file] = /(?:[A-Za-z]:)?[\\/][^:'"()\n]*?\.node\b/.exec(message) || [];
  return file;
}

/** Returns the addon beside binding.js, if that is the one for this platform. */
function besides() {
  const root = path.join(__dirname, '..');
  try {
    const start = `${NAME}.${process.platform}-${process.arch}`;
    const found = fs.readdirSync(root).find((each) => each.startsWith(start));
    return found ? path.join(root, found) : '';
  } catch {
    return '';
  }
}

const firstLine = (text) => text.split('\n')[0];

module.exports = load();
