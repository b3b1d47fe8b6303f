'use strict';
/**
 * The line between a server process and whoever started it (../cluster.js), over Node's IPC: it
 * reports what the server knows, and calls the global channel service as the app's own game logic
 * would (a timer, a match that ends), with every single answer reported back so that a test can
 * count them. Serves the pomelo app and the tests' pinus app. Members come and go through the
 * handlers, as in any app; not here. What a test or a benchmark wants to see inside a server is in
 * a module of its own (CONTROL_EXTENSION): functions `(app, ...args)`, which may be asynchronous.
 */

const tell = (message) => {
  if (process.connected) process.send(message);
};

const readable = (error) =>
  error ? { name: error.name, message: error.message || String(error), code: error.code } : null;

const extension = process.env.CONTROL_EXTENSION ? require(process.env.CONTROL_EXTENSION) : {};

module.exports = function control(app) {
  // Whoever started this process is gone, even if killed: nothing may stay behind.
  process.on('disconnect', () => process.exit(0));

  const known = () => tell({ known: Object.keys(app.getServers()) });
  for (const event of ['add_servers', 'remove_servers', 'replace_servers']) {
    app.event.on(event, known);
  }

  // All calls of one message are made in one go, none waiting for another.
  process.on('message', ({ id, calls, ask }) => {
    if (ask) {
      const { name, args } = ask;
      new Promise((resolve) => resolve(extension[name](app, ...args))).then(
        (value) => tell({ id, asked: { value } }),
        (error) => tell({ id, asked: { error: readable(error) } }),
      );
      return;
    }
    const service = app.get('globalChannelService');
    calls.forEach(([method, ...args], index) => {
      service[method](...args, (error, value) =>
        tell({ id, index, answer: { error: readable(error), value } }),
      );
    });
  });
};

/** For `app.start`. */
module.exports.started = (error) => tell({ started: true, error: readable(error) });
