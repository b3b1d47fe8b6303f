'use strict';
/**
 * `npm run demo`: starts a real pomelo cluster (cluster.js), runs the checks of story.js on it, and exits with code 0 if
 * all passed. With `--web` it serves an interactive page (web/server.js) until Ctrl-C.
 */

const path = require('path');
const { parseArgs } = require('util');
const { startCluster, PLUGIN } = require('./cluster');
const { embedded, redisAt } = require('./stores');
const { tellStory } = require('./story');
const { serve } = require('./web/server');

const USAGE = `npm run demo -- [--redis URL] [--web [--port N]]
  --redis URL  keep the channels in this Redis, under a prefix of their own, not in a folder
  --web        serve a page to look at, until Ctrl-C
  --port N     where to serve it (default: a free port)`;

// Short, so that the page does not wait long for a connector that was killed during a push.
const WEB_PUSH_TIMEOUT = 2000;

// Short, so that the members of the connector that the story kills are gone soon.
const LEASE_TTL = 3000;

const say = (...lines) => console.log(lines.join('\n'));

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (!interrupted) say('', `${signal}: stopping all processes`);
    interrupted = true;
  });
}

/** Parses and checks the command line; throws an error that says what is wrong. */
function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      redis: { type: 'string' },
      web: { type: 'boolean', default: false },
      port: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const port = Number(values.port ?? 0);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new Error(`--port: expected 0 to 65535, not ${values.port}`);
  }
  if (values.port !== undefined && !values.web) throw new Error('--port goes with --web');
  if (values.redis !== undefined && !/^redis:\/\/./.test(values.redis)) {
    // Not shown: it may contain a password.
    throw new Error('--redis: expected redis://host:port/db');
  }
  return { ...values, port };
}

/** More options for the plugin. Not in a Redis of others: leases are not among the keys that the run removes there. */
function pluginOptions({ redis, web }) {
  if (web) return { pushTimeout: WEB_PUSH_TIMEOUT };
  return redis ? {} : { membership: 'session', leaseTtl: LEASE_TTL };
}

async function check(cluster) {
  const problems = await tellStory(cluster);
  if (problems.length === 0) {
    say('', 'Every client got each message due exactly once, and no other.');
  } else {
    say('', `FAILED, ${problems.length} problems:`, ...problems.slice(0, 30));
    process.exitCode = 1;
  }
}

async function show(cluster, port) {
  const server = await serve(cluster, port);
  say('', `Open ${server.url} in a browser. Ctrl-C ends the demo.`);
  // Waits for a signal, whose handler (processes.js) ends the process.
  await new Promise(() => {});
}

async function main({ redis, web, port }) {
  const { name, version } = require(`${PLUGIN}/package.json`);
  say(`Starting a pomelo cluster with ${name} ${version}`);
  const cluster = await startCluster({
    store: redis ? redisAt(redis, PLUGIN) : embedded,
    extension: path.join(__dirname, 'inside.js'),
    globalChannel: pluginOptions({ redis, web }),
  });
  try {
    const servers = [...cluster.servers.values()].map(
      (server) => `${server.name} (pid ${server.pid})`,
    );
    say(`  ${servers.join(', ')}`, `Channels are kept in ${cluster.store.title}`);
    await (web ? show(cluster, port) : check(cluster));
  } finally {
    await cluster.stop();
  }
}

let options;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${error.message}\n\n${USAGE}`);
  process.exit(2);
}
if (options.help) {
  console.log(USAGE);
} else {
  main(options).catch((error) => {
    if (interrupted) return;
    console.error(`The demo failed: ${error.message}`);
    process.exitCode = 1;
  });
}
