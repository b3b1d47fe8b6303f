'use strict';
/**
 * A real pinus 1.7.4 application in plain JavaScript, as a user writes one; the counterpart of
 * demo/app, whose line to the harness (control.js) it shares. Ports, plugin and options come from
 * the harness, demo/cluster.js.
 */

require('reflect-metadata');
const { pinus } = require('pinus');
const control = require('../../../demo/app/control');

const plugin = require(process.env.GLOBALCHANNEL_PLUGIN);
const globalChannel = JSON.parse(process.env.GLOBALCHANNEL_OPTIONS);

const app = pinus.createApp({ base: process.env.APP_BASE });
app.set('name', 'pome-globalchannel-pinus-test');

// The mistake that a user of pomelo makes in pinus, for the test of what it says.
const used = process.env.USE_POMELO_FORM ? plugin : plugin.createPinusPlugin();
app.use(used, { globalChannel });
if (process.env.METRICS_PORT) {
  app.configure('production|development', 'master', () => {
    plugin.registerAdmin(app, { metrics: { port: Number(process.env.METRICS_PORT) } });
  });
}

app.configure('production|development', 'connector', () => {
  app.set('connectorConfig', {
    connector: pinus.connectors.hybridconnector,
    heartbeat: 5,
    useDict: true,
    useProtobuf: true,
  });
  app.route('chat', (session, msg, context, cb) => cb(null, session.get('chat')));
});

control(app);
app.start(control.started);

const stop = () => app.stop(true);
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
