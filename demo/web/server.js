'use strict';
/**
 * Serves the demo's page on loopback: its files, pomelo's browser client from npm, and the actions of control.js as JSON.
 * It answers only requests for this host, and actions only from this page, so that other pages in the browser can neither
 * act nor read. (The connectors' sockets are pomelo's and accept any client.)
 */

const fs = require('fs');
const http = require('http');
const path = require('path');
const { once } = require('events');
const { LOOPBACK } = require('../processes');
const { Control } = require('./control');

const MAX_BODY = 10000;
const TYPES = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript' };

const page = (name) => path.join(__dirname, 'page', name);
const FILES = {
  '/': page('index.html'),
  ...Object.fromEntries(fs.readdirSync(page('.')).map((name) => [`/${name}`, page(name)])),
  '/theme.css': path.join(__dirname, '../../lib/inspect/page/theme.css'),
  '/lib/emitter.js': require.resolve('component-emitter'),
  '/lib/protobuf.js': require.resolve('pomelo-protobuf/lib/client/protobuf.js'),
  '/lib/protocol.js': require.resolve('pomelo-protocol/lib/protocol.js'),
  '/lib/pomelo-client.js': require.resolve('pomelo-jsclient-websocket'),
};

class WebServer {
  constructor(cluster) {
    this.control = new Control(cluster);
    const sockets = cluster.connectors.map(({ host, clientPort }) => `ws://${host}:${clientPort}`);
    this.headers = {
      'Cache-Control': 'no-store',
      'Content-Security-Policy':
        `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-src 'self'; ` +
        `connect-src 'self' ${sockets.join(' ')}; form-action 'none'; frame-ancestors 'self'`,
      'X-Content-Type-Options': 'nosniff',
    };
    this.http = http.createServer((request, response) => {
      this.#answer(request).then(
        ({ type, body }) => this.#send(response, 200, type, body),
        ({ status = 500, message }) =>
          this.#send(response, status, 'application/json', JSON.stringify({ error: message })),
      );
    });
  }

  async listen(port) {
    this.http.listen(port, LOOPBACK);
    await once(this.http, 'listening');
    const { port: own } = this.http.address();
    this.hosts = [`${LOOPBACK}:${own}`, `localhost:${own}`];
    this.url = `http://${this.hosts[0]}/`;
    return this;
  }

  async #answer(request) {
    const { host, origin } = request.headers;
    // Against DNS rebinding: a name that an attacker resolves to 127.0.0.1 is refused.
    if (!this.hosts.includes(host)) throw refusal(403, 'wrong Host');
    const [target] = request.url.split('?');
    const action = target.startsWith('/api/') ? target.slice('/api/'.length) : null;

    if (request.method === 'GET') {
      if (action === 'state') return json(await this.control.state());
      if (!Object.hasOwn(FILES, target)) throw refusal(404, 'no such file');
      const file = FILES[target];
      return { type: TYPES[path.extname(file)], body: fs.readFileSync(file) };
    }
    if (request.method !== 'POST') throw refusal(405, 'GET or POST');
    if (origin !== `http://${host}`) throw refusal(403, 'wrong Origin');
    if (!['push', 'kill', 'revive'].includes(action)) throw refusal(404, 'no such action');
    return json(await this.control[action](await readBody(request)));
  }

  #send(response, status, type, body) {
    response.writeHead(status, { ...this.headers, 'Content-Type': `${type}; charset=utf-8` });
    response.end(body);
  }
}

const refusal = (status, message) => Object.assign(new Error(message), { status });

const json = (value) => ({ type: 'application/json', body: JSON.stringify(value) });

async function readBody(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_BODY) throw refusal(413, 'too long');
  }
  try {
    return Object(JSON.parse(text));
  } catch {
    throw refusal(400, 'not JSON');
  }
}

/** Serves the page on a port (0: a free one); resolves to an object with its `url`. */
module.exports = { serve: (cluster, port) => new WebServer(cluster).listen(port) };
