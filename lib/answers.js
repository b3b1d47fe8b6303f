'use strict';

// Keeps the unanswered calls of one service, and answers them. The addon encodes the answers to many calls as one array
// of words, the *tape*, in the order in which the calls are answered; this file decodes it and calls the callbacks.
// `src/binding/answers/tape.rs` is the other end.
//
// Member lists that the addon keeps in its cache are parsed once, into *shared arrays* (those of `masters`). A shared
// array leaves this module only as a copy, or for `deliver`, which copies it for each receiver. It is not changed after
// it was first used, so the same array always means the same list.

const bySid = require('./bySid');
const { isCounted, createParts } = require('./changed');
const callBack = require('./callBack');
const MemberList = require('./memberList');
const { release } = require('./places');
const pageOf = require('./pages');
const { words } = require('./tables');

// The instruction in the low four bits of a word; the other bits are its operand n.
const {
  DONE, // n calls: (null), each of which changed one member
  CHANGED, // a call that changed n members: (null)
  LIST, // a list follows: (null, list)
  JOINED, // n lists follow: (null, all of them as one)
  NUMBER, // a number follows: (null, number)
  BOOL, // (null, whether n is 1)
  PAGE, // a page follows, of members, or of channels if n is 1: (null, page)
  GROUPS, // n lists follow: (null, {sid: list}) or (null, {name: {sid: list}})
  PUSH, // n lists follow: deliver
  FAIL, // an error follows, for a callback of shape n
  OWN, // a custom manager's answer, kept by `own`
  OWN_PUSH, // the same, for a push
  MASTER, // a text follows: it is parsed to shared array n
  FORGET, // shared array n is dropped
  PIECE, // a text follows: its members are appended to shared array n
} = words;

/** The initial capacity of the queue of calls; a power of two. */
const ROOM = 1024;

/** Makes the functions that the addon calls. `failed(err)` counts an error that does not come from the addon. */
module.exports = function createAnswers(deliver, failed) {
  /** A ring of unanswered calls, each at its number modulo the length: a callback, or an object that has one. */
  const calls = Array.from({ length: ROOM });
  /** The number of the next call to be answered. */
  let next = 0;
  /** Answers of custom managers, by the number of the call. */
  const owned = new Map();
  const masters = [];
  const { parts, isPart, settlePart } = createParts();
  let tape = new Uint32Array(ROOM);

  return { calls, room, own, parts, tapeOf, answer, forgetAll };

  /** Doubles the ring; `first` is the number of the oldest call in it. */
  function room(first) {
    const { length } = calls;
    for (let i = 0; i < length; i += 1) {
      calls.push(undefined);
    }
    for (let seq = first; seq < first + length; seq += 1) {
      const [from, to] = [seq % length, seq % (2 * length)];
      if (from !== to) {
        calls[to] = calls[from];
        calls[from] = undefined;
      }
    }
  }

  /** Keeps the answer of a custom manager: the arguments of the callback; for a push, lists and errors. */
  function own(seq, args) {
    owned.set(seq, args);
  }

  /** Returns a tape of at least `length` words. */
  function tapeOf(length) {
    if (tape.length < length) {
      tape = new Uint32Array(2 * length);
    }
    return tape;
  }

  /** Decodes the first `length` words of the tape and answers the calls; `values` are the texts and errors. */
  function answer(length, values) {
    for (let at = 0; at < length;) {
      const word = tape[at];
      const n = word >>> 4;
      at += 1;
      switch (word & 15) {
        case DONE:
          for (let i = 0; i < n; i += 1) {
            done(take(), 1);
          }
          break;
        case CHANGED:
          done(take(), n);
          break;
        case LIST:
          callBack(take(), null, copy(tape[at], values));
          at += 1;
          break;
        case JOINED:
          callBack(take(), null, joined(at, n, values));
          at += n;
          break;
        case NUMBER:
          callBack(take(), null, values[tape[at] >>> 1]);
          at += 1;
          break;
        case BOOL:
          callBack(take(), null, n === 1);
          break;
        case PAGE:
          callBack(take(), null, pageOf(n === 1, JSON.parse(values[tape[at] >>> 1])));
          at += 1;
          break;
        case GROUPS:
          answerGroups(take(), at, n, values);
          at += n;
          break;
        case PUSH:
          push(take(), at, n, values);
          at += n;
          break;
        case FAIL:
          fail(take(), values[tape[at] >>> 1], n);
          at += 1;
          break;
        case OWN:
          answerOwn();
          break;
        case OWN_PUSH:
          answerOwnPush();
          break;
        case MASTER:
          masters[n] = new MemberList(JSON.parse(values[tape[at] >>> 1]), true, true);
          at += 1;
          break;
        case FORGET:
          forget(n);
          break;
        case PIECE:
          grow(n, JSON.parse(`[${values[tape[at] >>> 1]}]`));
          at += 1;
          break;
        default:
          throw new Error(`the tape says ${word}`);
      }
    }
  }

  /** Appends a piece of a long list, which arrives over several turns of the event loop. */
  function grow(n, members) {
    if (masters[n] === undefined) {
      masters[n] = new MemberList(members, true, true);
    } else {
      const { all } = masters[n];
      for (const member of members) all.push(member);
    }
  }

  function forget(n) {
    if (masters[n]) release(masters[n]);
    masters[n] = undefined;
  }

  /** Drops all shared arrays: the addon sends a list again before it refers to it. */
  function forgetAll() {
    for (let n = 0; n < masters.length; n += 1) forget(n);
    masters.length = 0;
  }

  /** Removes the next call from the ring and returns it. */
  function take() {
    const index = next & (calls.length - 1);
    const call = calls[index];
    calls[index] = undefined;
    next += 1;
    return call;
  }

  // The word after an instruction is an index: with its lowest bit set into the shared arrays, otherwise into `values`.

  function list(word, values) {
    if (word & 1) {
      return masters[word >>> 1].all;
    }
    const value = values[word >>> 1];
    return typeof value === 'string' ? JSON.parse(value) : value;
  }

  function copy(word, values) {
    const members = list(word, values);
    return word & 1 ? members.slice() : members;
  }

  function joined(at, n, values) {
    const lists = [];
    for (let i = at; i < at + n; i += 1) {
      lists.push(list(tape[i], values));
    }
    return [].concat(...lists);
  }

  /** Answers a write. How many members it changed is for those who ask for it: 0.0.7's callbacks get no count. */
  function done(call, count) {
    if (typeof call === 'function') {
      if (isCounted(call)) callBack(call, null, count);
      else callBack(call, null);
    } else if (isPart(call)) {
      settlePart(call, null, count);
    }
  }

  function answerGroups({ callback, names, sids }, at, n, values) {
    const lists = [];
    for (let i = at; i < at + n; i += 1) {
      lists.push(copy(tape[i], values));
    }
    callBack(callback, null, bySid(names, sids, lists));
  }

  /** Delivers a push. In place of a list there may be an error. */
  function push(call, at, n, values) {
    const lists = [];
    let errors;
    for (let i = 0; i < n; i += 1) {
      const word = tape[at + i];
      const value = word & 1 ? masters[word >>> 1] : values[word >>> 1];
      if (word & 1) {
        lists.push(value);
      } else if (typeof value === 'string') {
        lists.push(new MemberList(JSON.parse(value), true));
      } else {
        errors = errors || [];
        errors[i] = value;
        lists.push(undefined);
      }
    }
    deliver(call, lists, errors);
  }

  function fail(call, err, shape) {
    if (isPart(call)) {
      settlePart(call, err, 0);
      return;
    }
    const callback = typeof call === 'object' && call !== null ? call.callback : call;
    callBack.failed(callback, err, shape);
  }

  function takeOwned() {
    const args = owned.get(next);
    owned.delete(next);
    return args;
  }

  function answerOwn() {
    const args = takeOwned();
    if (args[0]) {
      failed(args[0]);
    }
    callBack(take(), ...args);
  }

  function answerOwnPush() {
    const [lists, errors] = takeOwned();
    const members = lists.map((list) => list && new MemberList(list, false));
    deliver(take(), members, errors);
  }
};
