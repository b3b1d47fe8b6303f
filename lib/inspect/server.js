'use strict';

// The inspector's HTTP server: the page and the views of a store (views.js) as JSON, read-only, on loopback. guard.js
// decides who is answered, routes.js what may be asked, live.js sends the events of a channel.

const http = require('http');
const { once } = require('events');

const { pageFiles } = require('./files');
const { Guard, newToken } = require('./guard');
const { Streams } = require('./live');
const { argumentsOf, refusal, routeOf } = require('./routes');

const LOOPBACK = '127.0.0.1';

/** Views that are read at a time; a request beyond that is answered with 503, and the page asks again. */
const AT_A_TIME = 8;

/** Open connections; a browser opens six for each page, and one for each stream. */
const CONNECTIONS = 64;

/** The request line holds the name of a channel or a uid, percent-encoded. */
const HEADER_BYTES = 64 * 1024;

/** Time for a request to arrive, in ms, and how often it is checked; Node's own interval is 30 s. */
const ARRIVAL = 10000;
const CHECK = 1000;

const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    `default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; ` +
    `form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'`,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

class InspectServer {
  #views;
  #guard;
  #files = pageFiles();
  /** The views that are being read, by what was asked. */
  #reading = new Map();
  #streams = new Streams();
  #http;
  #onError;

  /** `views` is of openViews; `onError(err)` hears of errors that are none of the store's, which the page does not show. */
  constructor(views, { onError = () => {} } = {}) {
    this.#views = views;
    this.#onError = onError;
    const options = { maxHeaderSize: HEADER_BYTES, connectionsCheckingInterval: CHECK };
    this.#http = http.createServer(options, (request, response) => this.#handle(request, response));
    this.#http.headersTimeout = ARRIVAL;
    this.#http.requestTimeout = ARRIVAL;
    this.#http.maxConnections = CONNECTIONS;
  }

  /** Listens on a port of loopback (0: a free one); `url` is then the page's, with the token. */
  async listen(port = 0) {
    this.#http.listen(port, LOOPBACK);
    await once(this.#http, 'listening');
    const { port: own } = this.#http.address();
    const token = newToken();
    this.#guard = new Guard(token, own);
    this.url = `http://${LOOPBACK}:${own}/${token}/`;
    return this;
  }

  /** Ends the events of all pages, which say so. */
  endStreams() {
    this.#streams.close();
  }

  /** Ends all streams and connections. */
  async close() {
    this.endStreams();
    if (!this.#http.listening) return;
    const closed = once(this.#http, 'close');
    this.#http.close();
    // Node 16 and 17 do not have it: idle connections end there with their keep-alive time of 5 s.
    this.#http.closeAllConnections?.();
    await closed;
  }

  #handle(request, response) {
    const asked = this.#guard.check(request);
    if (asked.status !== undefined) {
      if (asked.status === 405) response.setHeader('Allow', 'GET');
      // Whatever else it sends is not read.
      response.writeHead(asked.status, { ...HEADERS, Connection: 'close' });
      response.end();
      return;
    }
    this.#answer(asked, response).catch((err) => {
      if (!response.headersSent) this.#sendError(response, err);
    });
  }

  async #answer({ path, query }, response) {
    const file = this.#files.get(path);
    if (file) return send(response, 200, file);
    const name = path.startsWith('api/') ? path.slice('api/'.length) : '';
    if (name === 'events') {
      const { name: channel } = argumentsOf(query, { must: { name: (value) => value } });
      return this.#streams.open(response, HEADERS, this.#watch(channel));
    }
    const route = routeOf(name);
    if (!route) throw refusal(404, 'no such file');
    const args = argumentsOf(query, route);
    return sendJson(response, 200, await this.#read(name, route, args));
  }

  #watch(channel) {
    if (!this.#views.watch) throw refusal(409, 'started without --events');
    if (this.#streams.full) throw refusal(503, 'too many channels are watched at a time');
    return () => this.#views.watch(channel);
  }

  /** Reads a view; one that is being read already, also for a page that has gone on, is not read twice. */
  #read(name, route, args) {
    const key = JSON.stringify([name, args]);
    const begun = this.#reading.get(key);
    if (begun) return begun;
    if (this.#reading.size >= AT_A_TIME) throw refusal(503, 'too many requests at a time');
    const reading = Promise.resolve(route.call(this.#views, args)).finally(() =>
      this.#reading.delete(key),
    );
    this.#reading.set(key, reading);
    return reading;
  }

  /** Answers with the message of an error that is meant for the user, which those of the package are; never with a stack. */
  #sendError(response, err) {
    const code = typeof err.code === 'string' && err.code.startsWith('ERR_GLOBAL_CHANNEL_');
    const known = code || err.status !== undefined;
    if (!known) this.#onError(err);
    const status = err.status || (/_INVALID_/.test(err.code) ? 400 : 502);
    const error = known ? err.message : 'internal error';
    sendJson(response, known ? status : 500, { error, ...(code && { code: err.code }) });
  }
}

function send(response, status, { type, body }) {
  response.writeHead(status, {
    ...HEADERS,
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}

function sendJson(response, status, value) {
  send(response, status, { type: 'application/json; charset=utf-8', body: JSON.stringify(value) });
}

module.exports = { InspectServer };
