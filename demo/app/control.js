'use strict';
/**
 * The IPC between a server process and its parent (../cluster.js). It reports which servers this one knows, and calls the
 * global channel service like game logic (a timer, the end of a match) would; every answer is sent back, so that a test
 * can count them. Used by the pomelo app and the tests' pinus app. Members join and leave through the handlers, as in any
 * app. Tests and benchmarks add functions `(app, ...args)`, which may be asynchronous, in a module named by
 * CONTROL_EXTENSION.
 */

const tell = (message) => {
  if (process.connected) process.send(message);
};

const readable = (error) =>
  error ? { name: error.name, message: error.message || String(error), code: error.code } : null;

const extension = process.env.CONTROL_EXTENSION ? require(process.env.CONTROL_EXTENSION) : {};

module.exports = function control(app) {
  // The parent has ended or was killed: no process may stay behind.
  process.on('disconnect', () => process.exit(0));

  const known = () => tell({ known: Object.keys(app.getServers()) });
  for (const event of ['add_servers', 'remove_servers', 'replace_servers']) {
    app.event.on(event, known);
  }

  // All calls of a message are made in one turn, without waiting for answers.
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

/** The callback of `app.start`. */
module.exports.started = (error) => tell({ started: true, error: readable(error) });
