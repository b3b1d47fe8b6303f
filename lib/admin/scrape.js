'use strict';

// One scrape point for Prometheus on the master: it asks all servers for their figures, and shows them with the label `server`.

const http = require('http');

const { collect } = require('./module');
const { textOf } = require('../metrics/text');
const { words } = require('../logger');

const HOST = '127.0.0.1';

/** The part of Prometheus' own limit for a scrape that is waited for servers, in ms per second. */
const SHARE = 600;

/** Loopback addresses, as a socket shows them, and the names by which a scraper may call one: DNS rebinding uses others. */
const LOOPBACK = /^(127\..*|::1|::ffff:127\..*)$/;
const LOCAL_NAME = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/**
 * Makes the function by which the framework starts the module on the master: it listens on `{port, host}`. If it cannot, the
 * master starts all the same, and the log says why.
 */
module.exports = function createScrapePoint(app, { port, host = HOST }, log) {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new TypeError(`metrics.port is ${String(port)}; accepted is a number from 0 to 65535`);
  }
  if (typeof host !== 'string' || host === '') {
    throw new TypeError('metrics.host is no text');
  }
  let isLocal = true;
  let server;

  return function start(cb) {
    // A framework's master is a monitored server too, and starts each module twice.
    if (server) return cb();
    server = http.createServer((req, res) => {
      answer(req, res).catch((err) => {
        log('error', `metrics: ${words(err)}`);
        res.destroy();
      });
    });
    server.once('error', (err) => {
      log('error', `metrics: no scrape point on ${host}:${port}: ${words(err)}`);
      cb();
    });
    server.listen(port, host, () => {
      const { address, port: bound } = server.address();
      isLocal = LOOPBACK.test(address);
      const shown = address.includes(':') ? `[${address}]` : address;
      log('info', `metrics: http://${shown}:${bound}/metrics`);
      server.removeAllListeners('error');
      server.on('error', (err) => log('error', `metrics: ${words(err)}`));
      cb();
    });
    // The master lives without it.
    server.unref();
  };

  async function answer(req, res) {
    if (isLocal && !LOCAL_NAME.test(req.headers.host || '')) return end(res, 403);
    if (req.method !== 'GET' && req.method !== 'HEAD') return end(res, 405);
    if (req.url.split('?')[0] !== '/metrics') return end(res, 404);
    const agent = agentOf(app);
    if (!agent) return end(res, 503);
    const { servers, silent } = await collect(agent, timeoutOf(req));
    const services = servers.map(({ id, serverType, stats }) => ({
      stats,
      labels: { server: id, server_type: serverType },
    }));
    const shown = services.filter(canShow);
    res.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
    res.end(textOf(shown) + silentText(silent.length + services.length - shown.length));
  }
};

/** Returns how long servers are waited for, in ms: Prometheus tells how long it waits itself. */
function timeoutOf(req) {
  const seconds = Number(req.headers['x-prometheus-scrape-timeout-seconds']);
  return seconds > 0 ? seconds * SHARE : undefined;
}

function end(res, status) {
  res.statusCode = status;
  res.end();
}

/** Whether the figures are such as this version knows: a server may run another one, or have wrapped its service. */
function canShow(service) {
  try {
    return Boolean(textOf([service]));
  } catch {
    return false;
  }
}

function silentText(count) {
  const name = 'globalchannel_silent_servers';
  const help = 'Servers that did not answer the master: without the plugin, or hanging.';
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${count}\n`;
}

/** Returns the master's end of pomelo-admin: its component has it. */
function agentOf(app) {
  const master = app.components?.['__master__'] || app.master;
  return (master?.master || master)?.masterConsole?.agent;
}
