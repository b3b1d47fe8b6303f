'use strict';
/**
 * Finds and runs other programs. Uses no npm package, because setup.js runs before any is installed.
 */
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '../..');

/** Returns the full path of a program on PATH, or undefined. */
function which(program) {
  const endings = process.platform === 'win32' ? ['.exe', '.cmd'] : [''];
  for (const folder of (process.env.PATH || '').split(path.delimiter)) {
    for (const ending of endings) {
      const file = path.join(folder, program + ending);
      if (folder && fs.existsSync(file)) return file;
    }
  }
  return undefined;
}

/** Prints an error message and exits with code 1. */
function fail(message) {
  console.error(`\n${message}\n`);
  process.exit(1);
}

/** Runs a program in the foreground; true if it ended with exit code 0. */
function run(program, args, options) {
  const done = spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options });
  if (done.error) console.error(`${program}: ${done.error.message}`);
  return done.status === 0;
}

/**
 * Starts a program that ends with this process at the latest. Returns `{child, ended}`; `ended` resolves to true if its
 * exit code was 0. Unlike `run` it lets this process notice meanwhile that its own runner has ended (end-with-parent.js).
 */
function start(program, args, options) {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', ...options });
  const kill = () => child.kill();
  process.once('exit', kill);
  const ended = new Promise((resolve) => {
    child.on('error', (err) => {
      console.error(`${program}: ${err.message}`);
      resolve(false);
    });
    child.on('close', (code) => resolve(code === 0));
  }).finally(() => process.off('exit', kill));
  return { child, ended };
}

/** The same; resolves to `{ok, stdout}`, for callers that parse the output, which is shown with `show`. */
async function runAndRead(program, args, { show = true, ...options } = {}) {
  const stdio = ['inherit', 'pipe', 'inherit'];
  const { child, ended } = start(program, args, { stdio, ...options });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
    if (show) process.stdout.write(text);
  });
  return { ok: await ended, stdout };
}

/** Returns `[program, args]` that run npm, also where `npm` is a .cmd file that cannot be spawned. */
function npmCommand(args) {
  const cli = process.env.npm_execpath;
  return cli && cli.endsWith('npm-cli.js') ? [process.execPath, [cli, ...args]] : ['npm', args];
}

/** Returns `[program, args]` that run the command line tool of an installed npm package. */
function toolCommand(packageName, tool, args) {
  const folder = path.join(root, 'node_modules', packageName);
  const { bin } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const file = typeof bin === 'string' ? bin : bin[tool];
  return [process.execPath, [path.join(folder, file), ...args]];
}

module.exports = { root, which, fail, run, start, runAndRead, npmCommand, toolCommand };
