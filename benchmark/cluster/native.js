'use strict';
/** The benchmark's two C programs, compiled when they are missing or older than their source. */

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const BUILT = path.resolve(__dirname, '../results/bin');

/** `name` is that of a `.c` file beside this one. Returns the path of the program. */
function compile(name) {
  const source = path.join(__dirname, `${name}.c`);
  const program = path.join(BUILT, name);
  const changed = (file) => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (changed(program) > changed(source)) return program;
  fs.mkdirSync(BUILT, { recursive: true });
  execFileSync(process.env.CC || 'cc', ['-O2', '-o', program, source], { stdio: 'inherit' });
  return program;
}

module.exports = { compile };
