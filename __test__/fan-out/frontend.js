'use strict';
/**
 * A real frontend of pomelo or pinus in a process of its own, without a master, which does what the test tells it by
 * IPC (frontends.js). What it can be told is operations.js. How it is set up comes in the environment variable
 * FRONTEND: `{framework, connector, options, globalChannel, ...}`.
 */

const fs = require('fs');
const operations = require('./operations');

const setup = JSON.parse(process.env.FRONTEND);
const plugin = require(setup.plugin);

if (setup.framework === 'pinus') require('reflect-metadata');
const framework = setup.framework === 'pinus' ? require('pinus').pinus : require('pomelo');
const { connectors } = framework;
const components = framework.components || framework;

const app = framework.createApp({ base: setup.base });
app.set('name', 'pome-globalchannel-fan-out-test');

if (setup.framework === 'pomelo') {
  // pomelo 2.2.7 gives its options to the socket as an encoding, which no Node since 14 takes: without this line, as
  // pinus has it, each raw TCP client would end the process.
  const TcpSocket = require('pomelo/lib/connectors/hybrid/tcpsocket');
  TcpSocket.prototype.send = function (msg, options, cb) {
    this['_socket'].write(msg, options && options.binary ? 'binary' : 'utf8', cb);
  };
}

// There is no master to speak to.
const { load } = app;
app.load = function (component, ...rest) {
  if (component === components.monitor || component === framework.monitor) return this;
  return load.call(this, component, ...rest);
};

const ssl = setup.tls && {
  key: fs.readFileSync(setup.tls.key),
  cert: fs.readFileSync(setup.tls.cert),
};
app.set('connectorConfig', {
  connector: connectors[setup.connector || 'hybridconnector'],
  heartbeat: 600,
  ...(ssl && { ssl }),
  ...(setup.coder && operations.coders[setup.coder](framework)),
  ...setup.connectorOptions,
});
app.set('channelConfig', { broadcastFilter: (...args) => operations.filter(...args) });
if (setup.scheduler) {
  app.set(
    'pushSchedulerConfig',
    operations.schedulers[setup.scheduler](framework, plugin, setup.framework),
  );
}

// After the app has chosen its scheduler, so that the plugin could take its place.
if (setup.globalChannel) {
  const used = setup.framework === 'pinus' ? plugin.createPinusPlugin() : plugin;
  app.use(used, { globalChannel: setup.globalChannel });
}

process.on('disconnect', () => process.exit(0));
process.on('message', async ({ id, name, args }) => {
  const answer = {};
  try {
    answer.value = await operations.commands[name](...args);
  } catch (error) {
    answer.error = error.stack;
  }
  if (process.connected) process.send({ id, ...answer });
});

app.start((error) => {
  if (error) throw error;
  app.addServers([app.getCurServer()]);
  operations.use({ app, connector: setup.connector });
  process.send({ started: true });
});
