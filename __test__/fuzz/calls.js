'use strict';

/**
 * Calls with hostile values, and what must hold for each: it returns nothing or throws an allowed error; its callback is called
 * once, or never if it threw. Afterwards the service works. Runs in a process of its own (jobs.js), which a defect may end.
 */

const fs = require('fs');
const { METHODS, OTHERS, TABLE } = require('../support/call');
const { Thrown } = require('./values');

/** The methods with arguments that are right; the callback is the last. */
const USUAL = { ...METHODS, ...OTHERS, getChannels: [{}], clean: [] };

/** What an error calls an argument that is refused if it is no text. */
const SAID = {
  name: 'name',
  channelName: 'name',
  uid: 'uid',
  uids: 'uids',
  sid: 'sid',
  serverType: 'serverType',
  members: 'members',
};

/** Arguments that are refused by name if they are no text. */
const NAMED = Object.fromEntries(
  Object.entries(TABLE).map(([method, { arguments: names }]) => [
    method,
    names.map((name) => SAID[name]),
  ]),
);

/** The argument of each method that may be `null`: on all frontends. */
const EVERYWHERE = { leave: 'sid', isMember: 'sid', getCount: 'serverType' };

/** Whether an array may be accepted there. */
function takesArray(method, name) {
  const { scope, value } = TABLE[method];
  if (['uid', 'uids', 'members'].includes(name)) return true;
  return (
    name === 'name' &&
    (['frontends', 'groups', 'push'].includes(scope) || (scope === 'member' && !value))
  );
}

function isArray(value) {
  try {
    return Array.isArray(value);
  } catch {
    // A Proxy that was revoked.
    return false;
  }
}

/** What a method of ours may throw, or a callback's error may be. */
function isFair(err) {
  // What a value threw, or V8 itself: no such method, too long a text, too deep a stack.
  if (err instanceof Thrown || err instanceof TypeError || err instanceof RangeError) return true;
  return err instanceof Error && /^ERR_GLOBAL_CHANNEL_(?!INTERNAL)/.test(err.code);
}

function shown(value) {
  try {
    return value instanceof Error ? `${value.stack} (code ${value.code})` : String(value);
  } catch {
    return typeof value;
  }
}

class Watch {
  /** `file` tells which call it was if the process ends. */
  constructor(file) {
    this.file = file;
    this.wrong = [];
    this.open = new Set();
    this.count = 0;
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      process.on(event, (err) => isFair(err) || this.fail(event, shown(err)));
    }
  }

  fail(what, words) {
    if (this.wrong.length < 20) this.wrong.push(`${what}: ${words}`);
  }

  note(what) {
    this.count += 1;
    if (this.file) fs.writeFileSync(this.file, what);
  }

  /** Anything that may throw, and has no callback. */
  run(what, fn) {
    this.note(what);
    try {
      return fn();
    } catch (err) {
      if (!isFair(err)) this.fail(what, `threw ${shown(err)}`);
      return undefined;
    }
  }

  /** A callback that has to be called once, unless `fn(callback)` throws. */
  async answered(what, fn, check = () => {}) {
    this.note(what);
    let calls = 0;
    let threw = false;
    this.open.add(what);
    const done = new Promise((resolve) => {
      const callback = (...args) => {
        calls += 1;
        if (calls > 1 || threw) this.fail(what, `its callback was called ${calls} times`);
        const [err] = args;
        if (err && !isFair(err)) this.fail(what, `its error is ${shown(err)}`);
        check(err);
        resolve(err);
      };
      try {
        const returned = fn(callback);
        if (returned !== undefined) this.fail(what, `returned ${shown(returned)}`);
      } catch (err) {
        threw = true;
        if (!isFair(err)) this.fail(what, `threw ${shown(err)}`);
        resolve(err);
      }
    });
    const err = await done;
    this.open.delete(what);
    return err;
  }

  /** A promise that has to be settled. */
  async settled(what, fn) {
    this.note(what);
    this.open.add(what);
    try {
      await fn();
    } catch (err) {
      if (!isFair(err)) this.fail(what, `rejected with ${shown(err)}`);
    }
    this.open.delete(what);
  }

  /** What has gone wrong, also with those that are still open. */
  report() {
    for (const what of this.open) this.fail(what, 'was never answered');
    return { wrong: this.wrong, count: this.count };
  }
}

/** Whether a value has one textual form, as an id must have. */
function isText(value) {
  if (typeof value !== 'object' || value === null) {
    const isPrimitive = ['string', 'number', 'boolean', 'bigint'].includes(typeof value);
    return isPrimitive && !Number.isNaN(value);
  }
  try {
    const isArray = Array.isArray(value) || (ArrayBuffer.isView(value) && !Buffer.isBuffer(value));
    return !isArray && String(value) !== Object.prototype.toString.call(value);
  } catch {
    return false;
  }
}

/** One call of the table: `value` at `index`, the other arguments right. */
function place(method, index, value) {
  const args = [...USUAL[method]];
  args[index] = value;
  return args;
}

/** Of an argument that is no text: the error must name it, if it is ours. */
function namesArgument(watch, what, method, index, value) {
  const name = NAMED[method][index];
  return (err) => {
    if (!err || err.code !== 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT') {
      const isFine =
        isText(value) ||
        (value === null && EVERYWHERE[method] === name) ||
        name === 'uid' ||
        (takesArray(method, name) && isArray(value));
      if (name && !isFine) watch.fail(what, 'was taken');
      return;
    }
    // Options that are no object, or an object that has every property, with values that are no text.
    if (TABLE[method].arguments[index] === 'opts' && /^argument opts[. ]/.test(err.message)) return;
    if (!name || !new RegExp(`\\b${name}\\b`).test(err.message)) watch.fail(what, err.message);
  };
}

/** The service does what it is there for. */
async function works(watch, what, service, { call, ok }) {
  const { err } = await call(service, 'add', 'works', 'member', 's1');
  if (err) return watch.fail(what, `add afterwards: ${shown(err)}`);
  const members = await ok(service, 'getMembersBySid', 'works', 's1');
  if (!members.includes('member')) watch.fail(what, 'the member is not there');
}

module.exports = { USUAL, Watch, isArray, isText, place, namesArgument, works };
