'use strict';
/**
 * The content of the messages of these tests. Each says its number and whom it is for, so that a client that gets
 * another's message knows; then it is filled up to its size with text that does not compress well, by its number. One
 * that is too small for all that has only bytes of its number.
 */

const { Package } = require('pomelo-protocol');

const LARGEST = 1 << 20;
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_';

let text;

/** 1 MiB and more of letters, always the same. */
function letters() {
  if (text) return text;
  const bytes = Buffer.alloc(LARGEST + 4096);
  let state = 12345;
  for (let i = 0; i < bytes.length; i += 1) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = LETTERS.charCodeAt(state >>> 26);
  }
  text = bytes.toString('latin1');
  return text;
}

const padding = (n, length) => {
  const from = (n * 101) % 4000;
  return letters().slice(from, from + Math.max(length, 0));
};

/** As an app gives it to a channel. */
function message(n, to, size) {
  const bare = { n, to, pad: '' };
  return { ...bare, pad: padding(n, size - JSON.stringify(bare).length) };
}

/** As an encoder gives it to the scheduler: of exactly this size. */
function encoded(n, to, size) {
  const whole = Buffer.from(JSON.stringify(message(n, to, size)));
  return whole.length === size ? whole : Buffer.alloc(size, 1 + (n % 250));
}

/** `{n, to}` of a message as it came, or null if it is too small to tell. */
function read(body) {
  const at = body.indexOf('{"n":');
  if (at < 0) return null;
  return JSON.parse(body.toString('utf8', at));
}

module.exports = {
  LARGEST,
  message,
  encoded,
  read,
  package: (body) => Package.encode(Package.TYPE_DATA, body),
};
