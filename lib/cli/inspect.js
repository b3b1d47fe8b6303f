'use strict';

// The command inspect: opens a store's views, serves the page (lib/inspect/server.js), prints its address, and ends with a signal.

const { InspectServer } = require('../inspect/server');
const { openViews } = require('../inspect/views');
const { Watching } = require('../inspect/watching');
const { CODES, nextSignal } = require('./exit');
const { warn, write } = require('./output');

const HIGHEST_PORT = 65535;

async function inspect({ from, prefix, hashTag, port = 0, events = false }) {
  if (port > HIGHEST_PORT) throw usage(`--port must be at most ${HIGHEST_PORT}`);
  const views = openViews(from, { prefix, hashTag });
  const server = new InspectServer(views, { onError: (err) => warn(err.message) });
  const watching = events ? new Watching(from, { prefix, hashTag }, warn) : null;
  if (watching) {
    watching.onFailure = () => server.endStreams();
    views.watch = (name) => watching.watch(name);
  }
  try {
    // Asked now, so that an address that leads nowhere is told here.
    await views.ask('store');
    await server.listen(port);
    const ended = nextSignal();
    await write(`${server.url}\n`);
    await ended;
  } finally {
    await server.close();
    await watching?.close();
    await views.close();
  }
  return CODES.DONE;
}

const usage = (words) =>
  Object.assign(new Error(words), { code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT' });

module.exports = { inspect };
