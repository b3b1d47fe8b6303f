'use strict';
/**
 * The demo's pomelo application, written like a user's `app.js`: every server process of the cluster runs this file.
 * Ports, plugin and options come from the environment, because ../cluster.js picks free ports and tests run old and new
 * plugins side by side. The handlers are in app/servers/.
 */

const pomelo = require('pomelo');
const control = require('./control');

const globalChannel = require(process.env.GLOBALCHANNEL_PLUGIN || '../..');

// A real app omits `base`; here config/ has the ports of this run.
const app = pomelo.createApp({ base: process.env.APP_BASE });
app.set('name', 'pome-globalchannel-demo');

app.use(globalChannel, { globalChannel: JSON.parse(process.env.GLOBALCHANNEL_OPTIONS) });

if (process.env.METRICS_PORT) {
  app.configure('production|development', 'master', () => {
    globalChannel.registerAdmin(app, { metrics: { port: Number(process.env.METRICS_PORT) } });
  });
}

app.configure('production|development', 'connector', () => {
  app.set('connectorConfig', {
    connector: pomelo.connectors.hybridconnector,
    heartbeat: Number(process.env.CLIENT_HEARTBEAT || 5),
    useDict: true,
    useProtobuf: true,
  });
  // Routes each session to the chat server with which it entered.
  app.route('chat', (session, msg, context, cb) => cb(null, session.get('chat')));
});

// pomelo-rpc waits 30 s for an answer, too long for tests with dead servers.
if (process.env.RPC_TIMEOUT) app.set('proxyConfig', { timeout: Number(process.env.RPC_TIMEOUT) });

control(app);
app.start(control.started);

const stop = () => app.stop(true);
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
