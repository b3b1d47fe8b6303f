'use strict';

/**
 * Runs cases about a whole process (does it end, with which code, what does it print) in a child: `run(fn, {store})` sends the
 * source of `fn` to a new node, which calls it with the tools below; `opts` are the options of the store. `fn` must not use
 * outer variables.
 */

const { spawn } = require('child_process');
const { once } = require('events');
const service = require('./service');
const { until } = require('./until');

const MARK = '@@';

/**
 * Starts the child, by the command `within` if there is one. `messages` are what it emitted, `output` is all
 * else that it printed.
 */
function start(fn, { store, args = {}, nodeArgs = [], env: more = {}, within = [] }) {
  const source = `require(${JSON.stringify(__filename)}).main(${fn})`;
  const opts = service.optionsOf(store);
  const env = { ...process.env, ...more, CHILD: JSON.stringify({ opts, args }) };
  const [program, ...programArgs] = [...within, process.execPath, ...nodeArgs, '-e', source];
  const child = spawn(program, programArgs, { env });
  const result = { child, messages: [], output: '', code: undefined, signal: undefined };
  let rest = '';
  child.stdout.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith(MARK)) result.messages.push(JSON.parse(line.slice(MARK.length)));
      else result.output += line + '\n';
    }
  });
  child.stderr.on('data', (chunk) => (result.output += chunk));
  result.closed = once(child, 'close').then(([code, signal]) => {
    Object.assign(result, { code, signal });
    return result;
  });
  result.message = (text) =>
    until(() => {
      if (result.code !== undefined) throw new Error(`child ended: ${result.output}`);
      return result.messages.includes(text);
    }, `child to say ${text}`);
  return result;
}

/** To the end of the child, which is killed when it does not come within `deadline`. */
async function run(fn, options) {
  const result = start(fn, options);
  const timer = setTimeout(() => result.child.kill('SIGKILL'), options.deadline || 10000);
  await result.closed;
  clearTimeout(timer);
  return result;
}

/**
 * Makes the child another user for good. The plugin is loaded before: that user may have no right to enter the
 * checkout (`/root`, a folder of `mktemp -d`).
 */
function become(uid) {
  service.factory();
  process.setgroups([]);
  process.setgid(uid);
  process.setuid(uid);
}

/** In the child. */
function main(fn) {
  const { opts, args } = JSON.parse(process.env.CHILD);
  const tools = {
    ...require('./call'),
    ...require('./app'),
    ...require('./until'),
    ...service,
    args,
    opts,
    become,
    /** `done` is called when it is out of this process, and survives its end. */
    emit: (message, done) => process.stdout.write(MARK + JSON.stringify(message) + '\n', done),
    started: (more, app) => service.started({ options: () => opts }, more, app),
  };
  Promise.resolve(fn(tools)).catch((err) => {
    console.error(err);
    process.exit(99);
  });
}

module.exports = { start, run, main };
