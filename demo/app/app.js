'use strict';
/**
 * The demo's pomelo application, written as a user's `app.js`: every server process of the
 * cluster runs this file. It knows no test: which ports, which plugin and which options come from
 * outside, since the harness (../cluster.js) picks free ports and tests run old and new plugins
 * side by side. The handlers are in app/servers/.
 */

const pomelo = require('pomelo');
const control = require('./control');

const globalChannel = require(process.env.GLOBALCHANNEL_PLUGIN || '../..');

// A real app leaves `base` out; here config/ has the ports of this run.
const app = pomelo.createApp({ base: process.env.APP_BASE });
app.set('name', 'pome-globalchannel-demo');

app.use(globalChannel, { globalChannel: JSON.parse(process.env.GLOBALCHANNEL_OPTIONS) });

app.configure('production|development', 'connector', () => {
  app.set('connectorConfig', {
    connector: pomelo.connectors.hybridconnector,
    heartbeat: Number(process.env.CLIENT_HEARTBEAT || 5),
    useDict: true,
    useProtobuf: true,
  });
  // Each session keeps to the chat server that it entered with.
  app.route('chat', (session, msg, context, cb) => cb(null, session.get('chat')));
});

// pomelo-rpc gives up on an answer after 30 s; tests about dead servers cannot wait for that.
if (process.env.RPC_TIMEOUT) app.set('proxyConfig', { timeout: Number(process.env.RPC_TIMEOUT) });

control(app);
app.start(control.started);

const stop = () => app.stop(true);
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
