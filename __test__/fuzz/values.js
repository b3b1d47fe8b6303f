'use strict';

/**
 * Hostile values, created anew each time: of every type, and objects that do something when they are read. calls.js passes them
 * to the methods.
 */

const vm = require('vm');

/** What our getters and traps throw; it must arrive as it is. */
class Thrown extends Error {}

const thrower = () => {
  throw new Thrown('thrown by a value');
};

const TRAPS = Object.getOwnPropertyNames(Reflect);
/** Each trap throws. */
const trapped = (target) =>
  new Proxy(target, Object.fromEntries(TRAPS.map((trap) => [trap, thrower])));

function revoked(target) {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** The memory is taken away, as a transfer to a worker does. */
function detached(view) {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(null, [view.buffer]);
  port1.close();
  port2.close();
  return view;
}

const at = (array, index, get) =>
  Object.defineProperty(array, index, { get, configurable: true, enumerable: true });

function cyclic() {
  const array = ['a'];
  array.push(array);
  return array;
}

function truncating() {
  const array = ['a', 'b', 'c'];
  return at(array, 0, () => ((array.length = 1), 'a'));
}

function growing() {
  const array = ['a', 'b'];
  return at(array, 1, () => (array.push('c', 'd'), 'b'));
}

function changing() {
  let n = 0;
  return at(['a'], 0, () => ((n += 1) % 2 ? 'x' : Symbol('x')));
}

/** label → `() => value` */
const VALUES = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  NaN: () => NaN,
  Infinity: () => Infinity,
  '-Infinity': () => -Infinity,
  '-0': () => -0,
  '1e21': () => 1e21,
  '-1': () => -1,
  0.1: () => 0.1,
  '2**53': () => 2 ** 53,
  bigint: () => 2n ** 200n,
  'negative bigint': () => -1n,
  'empty string': () => '',
  'string with NUL': () => 'a\0b',
  'lone surrogates': () => '\ud800 \udfff',
  'line ends': () => 'a\r\n*1\r\n$8\r\nFLUSHALL\r\n',
  '1 MiB': () => 'ü'.repeat(1 << 19),
  __proto__name: () => '__proto__',
  symbol: () => Symbol('s'),
  'well-known symbol': () => Symbol.iterator,
  'empty object': () => ({}),
  'null prototype': () => Object.create(null),
  'frozen object': () => Object.freeze({ id: 's1' }),
  'boxed string': () => Object('boxed'),
  'boxed symbol': () => Object(Symbol('s')),
  function: () => () => 'nothing',
  'function that throws': () => thrower,
  class: () => Thrown,
  'async function': () => async () => {},
  generator: () =>
    (function* () {
      yield 'a';
    })(),
  date: () => new Date(),
  'invalid date': () => new Date(NaN),
  regexp: () => /a/g,
  error: () => new Error('an error'),
  map: () => new Map([['a', 1]]),
  promise: () => Promise.resolve('a'),
  'other realm': () => vm.runInNewContext('({ host: [1] })'),
  'other realm array': () => vm.runInNewContext('["a", "b"]'),
  buffer: () => Buffer.from([0, 255, 10]),
  'empty buffer': () => Buffer.alloc(0),
  Uint8Array: () => new Uint8Array([1, 2]),
  Float64Array: () => new Float64Array([NaN]),
  DataView: () => new DataView(new ArrayBuffer(4)),
  ArrayBuffer: () => new ArrayBuffer(4),
  SharedArrayBuffer: () => new SharedArrayBuffer(4),
  'view of a SharedArrayBuffer': () => new Uint8Array(new SharedArrayBuffer(4)),
  'detached Uint8Array': () => detached(new Uint8Array([1, 2, 3])),
  'detached ArrayBuffer': () => detached(new Uint8Array(8)).buffer,
  'detached Buffer': () => detached(Buffer.from(new ArrayBuffer(8))),
  'proxy that throws': () => trapped({}),
  'proxy of an array that throws': () => trapped(['a']),
  'proxy of a function that throws': () => trapped(() => {}),
  'proxy of a Buffer': () => new Proxy(Buffer.from('a'), {}),
  'revoked proxy': () => revoked({}),
  'revoked proxy of an array': () => revoked([]),
  'revoked proxy of a function': () => revoked(() => {}),
  'proxy without end': () => new Proxy({}, { getPrototypeOf: () => null, get: (t, k, p) => p }),
  'getters that throw': () =>
    Object.defineProperties(
      {},
      Object.fromEntries(
        ['id', 'length', 'host', 'stack', 'code', 'message', 'add', 'callback', '0'].map((key) => [
          key,
          { get: thrower, enumerable: true },
        ]),
      ),
    ),
  'toString that throws': () => ({ toString: thrower, valueOf: thrower }),
  'toPrimitive that throws': () => ({ [Symbol.toPrimitive]: thrower }),
  'empty array': () => [],
  'array with holes': () => ['a', , 'b'], // eslint-disable-line no-sparse-arrays
  'cyclic array': cyclic,
  'nested array': () => [['a']],
  'array of 100,000': () => Array.from({ length: 100000 }, (_, i) => `u${i}`),
  'array of 2**32 - 1 holes': () => Object.assign([], { length: 2 ** 32 - 1 }),
  'array of everything': () => [1, true, 5n, 'a', Buffer.from('b')],
  'array with a symbol': () => ['a', Symbol('s')],
  'array with a getter that throws': () => at(['a', 'b'], 1, thrower),
  'array that gets shorter': truncating,
  'array that grows': growing,
  'array that changes': changing,
  'frozen array': () => Object.freeze(['a', 'b']),
  'array without prototype': () => Object.setPrototypeOf(['a'], null),
  'array that says it is none': () => Object.assign(['a'], { [Symbol.isConcatSpreadable]: false }),
  'array whose concat throws': () =>
    Object.defineProperty(['a'], Symbol.isConcatSpreadable, { get: thrower }),
  arguments: () =>
    (function () {
      return arguments;
    })('a'),
  globalThis: () => globalThis,
};

const LABELS = Object.keys(VALUES);

module.exports = { VALUES, LABELS, Thrown, trapped, revoked, thrower };
