'use strict';

/**
 * The plugin under test, created as pomelo does it: the factory in the `components` folder, called as `(app, opts)`. `IMPL=old`
 * uses pomelo-globalchannel-plugin 0.0.7 instead, so that the suite itself can be checked against the original.
 */

const path = require('path');
const { createApp } = require('./app');
const { call } = require('./call');

const IMPL = process.env.IMPL === 'old' ? 'old' : 'ours';
const ROOTS = {
  ours: path.resolve(__dirname, '../..'),
  old: path.dirname(require.resolve('pomelo-globalchannel-plugin/package.json')),
};

const running = new Set();

const plugin = (impl = IMPL) => require(ROOTS[impl]);

const factory = (impl = IMPL) => require(path.join(plugin(impl).components, 'globalChannel.js'));

/** Not started. `stopAll` stops it whatever becomes of it. */
function create(opts, app = createApp(), impl = IMPL) {
  const service = factory(impl)(app, opts);
  running.add(service);
  return service;
}

/** Where `target` is: a store of stores.js, or whatever listens on a port of this machine. */
const optionsOf = (target) =>
  target.options ? target.options() : { host: '127.0.0.1', port: target.port, ...target.user };

/** Started on `target`. */
async function started(target, opts, app, impl) {
  const service = create({ ...optionsOf(target), ...opts }, app, impl);
  const { err } = await call(service, 'start');
  if (err) throw err;
  return service;
}

async function stopAll() {
  const services = [...running];
  running.clear();
  await Promise.all(services.map((service) => call(service, 'stop', true)));
}

/** The error of the constructor, or undefined. */
function refusal(opts) {
  try {
    create(opts);
  } catch (err) {
    return err;
  }
  return undefined;
}

module.exports = { refusal, IMPL, ROOTS, plugin, factory, optionsOf, create, started, stopAll };
