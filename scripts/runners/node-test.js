'use strict';

/** `node:test` for Jest and Vitest: what the core suite uses of it, made of their globals. The configurations map the name. */

const { afterAll, afterEach, beforeAll, beforeEach } = globalThis;

/** A suite or a test: `(title, [options], fn)`, with `skip` and `timeout`. */
function declared(declare, wrap) {
  return (title, ...rest) => {
    const fn = rest.pop();
    const { skip, timeout } = rest[0] || {};
    (skip ? declare.skip : declare)(title, wrap(fn), timeout);
  };
}

/** Rows of the other store are declared and skipped; the runners refuse a suite that has no other. */
const it = declared(globalThis.it, (fn) => async () => {
  await fn({ skip() {} });
});
const describe = declared(globalThis.describe, (fn) => () => {
  fn();
});

module.exports = {
  it,
  test: it,
  describe,
  before: beforeAll,
  after: afterAll,
  beforeEach,
  afterEach,
};
