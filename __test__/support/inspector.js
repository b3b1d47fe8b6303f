'use strict';

/**
 * Runs `npx pome-globalchannel inspect` and asks its server: raw requests, so that a test can send what a browser would not,
 * and the events of a channel.
 */

const http = require('http');
const { once } = require('events');
const cli = require('./cli');
const { until } = require('./until');

class Inspector {
  /** Starts it, and waits for the address of the page. */
  static async start(from, ...args) {
    const inspector = new Inspector(cli.start(['inspect', '--from', from, ...args]));
    await inspector.#ready();
    return inspector;
  }

  constructor({ child, printed, ended }) {
    Object.assign(this, { child, printed, ended });
  }

  async #ready() {
    let end;
    this.ended.then((told) => (end = told));
    await until(() => end || this.printed.stdout.includes('\n'), 'the address of the page', 30000);
    if (end) throw new Error(`it has ended with ${end.code}: ${end.stdout}${end.stderr}`);
    [this.url] = this.printed.stdout.split('\n');
    const { port, pathname, host } = new URL(this.url);
    Object.assign(this, { port: Number(port), path: pathname, host });
  }

  /** Sends a request; `path` begins at the root of the server. Resolves to `{status, headers, body}`. */
  async request(path, { method = 'GET', headers = {} } = {}) {
    const options = { host: '127.0.0.1', port: this.port, path, method, headers, agent: false };
    const request = http.request(options);
    request.end();
    const [response] = await once(request, 'response');
    let body = '';
    for await (const chunk of response.setEncoding('utf8')) body += chunk;
    return { status: response.statusCode, headers: response.headers, body };
  }

  /** Asks for a view with parameters; resolves to `{status, told}`. */
  async ask(action, parameters = {}) {
    const query = new URLSearchParams(parameters);
    const { status, body } = await this.request(`${this.path}api/${action}?${query}`);
    return { status, told: JSON.parse(body) };
  }

  /** Asks for the events of a channel; `events` is the list of those that have come. */
  async watch(name) {
    const path = `${this.path}api/events?${new URLSearchParams({ name })}`;
    const request = http.request({ host: '127.0.0.1', port: this.port, path, agent: false });
    request.end();
    const [response] = await once(request, 'response');
    const stream = { status: response.statusCode, events: [], hasEnded: false };
    let rest = '';
    response.setEncoding('utf8').on('data', (chunk) => {
      const parts = (rest + chunk).split('\n\n');
      rest = parts.pop();
      for (const part of parts) {
        if (part.startsWith('data: ')) stream.events.push(JSON.parse(part.slice(6)));
      }
    });
    response.on('close', () => (stream.hasEnded = true));
    response.on('error', () => {});
    stream.close = () => request.destroy();
    stream.pause = () => response.pause();
    stream.resume = () => response.resume();
    return stream;
  }

  /** Ends it as Ctrl-C does; resolves to `{code, stdout, stderr}`. */
  async stop(signal = 'SIGINT') {
    this.child.kill(signal);
    return this.ended;
  }
}

module.exports = { Inspector };
