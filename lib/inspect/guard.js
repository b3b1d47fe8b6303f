'use strict';

// Which requests the inspector (server.js) answers at all: GET, of this host, from its own page, and with the token in the
// path. Everything else gets a status and nothing more, so that another page in the browser, or another user of the
// machine, learns nothing.

const { createHash, randomBytes, timingSafeEqual } = require('crypto');

/** The only values of Sec-Fetch-Site that the page itself and the address bar send. */
const SITES = ['same-origin', 'none'];

/** 128 random bits, as text for a path. */
const newToken = () => randomBytes(16).toString('base64url');

// Hashed first, so that texts of any length can be compared in constant time.
const digest = (text) => createHash('sha256').update(text).digest();

class Guard {
  #token;

  constructor(token, port) {
    this.#token = digest(token);
    const names = ['127.0.0.1', 'localhost'];
    this.hosts = names.map((name) => `${name}:${port}`);
    // A browser leaves the port of http out.
    if (port === 80) this.hosts.push(...names);
  }

  /** Returns `{path, query}` of a request, without the token; or `{status}` of one that is refused. */
  check({ method, url, headers }) {
    const { host, origin, 'sec-fetch-site': site } = headers;
    // Against DNS rebinding: a name that an attacker resolves to 127.0.0.1 is refused.
    if (!this.hosts.includes(host)) return { status: 403 };
    if (origin !== undefined && origin !== `http://${host}`) return { status: 403 };
    if (site !== undefined && !SITES.includes(site)) return { status: 403 };
    const [target, query = ''] = split(url, '?');
    const [token, path] = split(target.slice(1), '/');
    if (!timingSafeEqual(digest(token), this.#token) || path === undefined) return { status: 404 };
    if (method !== 'GET') return { status: 405 };
    return { path, query };
  }
}

/** Splits a text at the first `at`; the second part is undefined if there is none. */
function split(text, at) {
  const place = text.indexOf(at);
  return place < 0 ? [text] : [text.slice(0, place), text.slice(place + at.length)];
}

module.exports = { Guard, newToken };
