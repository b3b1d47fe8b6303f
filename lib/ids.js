'use strict';

// Decides what an id is: a channel name, a uid, a server id or a server type. Strings and other primitives with one
// textual form are read by the addon (src/binding/values/), which asks here only for objects, such as MongoDB's ObjectId.

/** The length to which the message of an error is shown. */
const MOST = 100;

/** Half of a surrogate pair: the store keeps U+FFFD in its place. */
const SURROGATE = /[\ud800-\udfff]/;

/** Returns the text of an id as the store gives it back; undefined for a value that is none. */
function storedTextOf(value) {
  const text = textOf(value);
  return text !== undefined && SURROGATE.test(text) ? Buffer.from(text).toString() : text;
}

/** Returns the text by which a member of a custom manager's list is compared: as a built-in store keeps it, if it can. */
function textOfMember(uid) {
  const text = storedTextOf(uid);
  return text === undefined ? String(uid) : text;
}

/** Returns the text of a value that is accepted as an id, else undefined. Never throws. */
function textOf(value) {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
      return Number.isNaN(value) ? undefined : String(value);
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? undefined : readObject(value).text;
    default:
      return undefined;
  }
}

/**
 * Reads an object as an id. Returns `{text}`; without a text of its own `{why}`, which completes "is an object"; `why`
 * is empty if it has only the text that any object has. Never throws.
 */
function readObject(object) {
  try {
    const text = ownText(object);
    if (text === undefined) {
      return { why: '' };
    }
    return typeof text === 'string' ? { text } : { why: ' whose toString gives no string' };
  } catch (err) {
    return { why: ` whose toString threw${reason(err)}` };
  }
}

/**
 * Returns what `toString` returns (or `Symbol.toPrimitive`, as in `String(object)`), or undefined if that is the text
 * that Object.prototype or Array.prototype makes. The texts are compared, not the functions: those of another realm are
 * other functions.
 */
function ownText(object) {
  if (Array.isArray(object)) {
    return undefined;
  }
  const text = convert(object);
  if (typeof text !== 'string') {
    return text;
  }
  if (text.startsWith('[object ') && text === Object.prototype.toString.call(object)) {
    return undefined;
  }
  if (ArrayBuffer.isView(object) && text === Array.prototype.join.call(object)) {
    return undefined;
  }
  // A boxed NaN, or another object that is no more a number than that.
  return text === 'NaN' ? undefined : text;
}

/** Returns what the object's own conversion gives; undefined if it has none. */
function convert(object) {
  const toPrimitive = object[Symbol.toPrimitive];
  if (typeof toPrimitive === 'function') {
    return toPrimitive.call(object, 'string');
  }
  const { toString } = object;
  if (typeof toString !== 'function') {
    return undefined;
  }
  const text = toString.call(object);
  return text === undefined ? null : text;
}

/** Returns `: ` and the message of what was thrown, where it can be shown. */
function reason(err) {
  try {
    const message = typeof err === 'object' && err !== null ? err.message : err;
    return typeof message === 'string' && message !== '' ? `: ${message.slice(0, MOST)}` : '';
  } catch {
    return '';
  }
}

module.exports = { readObject, storedTextOf, textOf, textOfMember };
