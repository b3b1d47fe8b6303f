'use strict';

/**
 * Encodes values as RESP2 or RESP3: the replies of the wire double. Bytes are latin1 strings here, so that keys and members
 * that are not UTF-8 stay unchanged. Requests are parsed in double.js.
 */

/** Text as a client would send it. */
const bytes = (text) => Buffer.from(String(text)).toString('latin1');

const typed = (sign) => (text) => ({ sign, text });
const status = typed('+');
const failure = typed('-');
/** Text that RESP3 marks as such; INFO answers with it. */
const verbatim = typed('=');

const OK = status('OK');

/** Numbers, strings (bulk), null, arrays, sets, maps and the kinds above. */
function encode(value, proto) {
  const bulk = (text) => `$${text.length}\r\n${text}\r\n`;
  const list = (sign, items) => {
    const all = [...items];
    return `${sign}${all.length}\r\n${all.map((item) => encode(item, proto)).join('')}`;
  };
  if (value === null) return proto === 3 ? '_\r\n' : '$-1\r\n';
  if (typeof value === 'number') return `:${value}\r\n`;
  if (typeof value === 'string') return bulk(value);
  if (value.sign === '=') {
    return proto === 2 ? bulk(value.text) : `=${value.text.length + 4}\r\ntxt:${value.text}\r\n`;
  }
  if (value.sign) return `${value.sign}${value.text}\r\n`;
  if (value instanceof Map) {
    const flat = [...value].flat();
    if (proto === 2) return list('*', flat);
    return `%${value.size}\r\n${flat.map((item) => encode(item, proto)).join('')}`;
  }
  return list(value instanceof Set && proto === 3 ? '~' : '*', value);
}

/** An out-of-band message of RESP3. */
const encodePush = (items) =>
  `>${items.length}\r\n${items.map((item) => encode(item, 3)).join('')}`;

module.exports = { OK, status, failure, verbatim, bytes, encode, encodePush };
