'use strict';

// The calls of one service that wait for an answer, and how they get it. The addon decides which
// call is answered next and with what; it writes that down for many calls at a time, on a *tape*,
// and the callbacks are called here. `src/binding/answers/tape.rs` is the other end.
//
// Member lists that the addon keeps in its cache are made into arrays once, the *masters*. A master
// never leaves this module but as a copy, or to `deliver`, which copies it for each receiver. Nobody ever changes
// one that was given out: the same array is the same list.

const callBack = require('./callBack');
const { words, shapes } = require('./tables');

// What a word of the tape says in its low four bits; the others hold its number n.
const {
  DONE, // n calls: (null)
  LIST, // a list follows: (null, list)
  JOINED, // n lists follow: (null, all of them as one)
  NUMBER, // a number follows: (null, number)
  PUSH, // n lists follow: deliver
  FAIL, // an error follows, for a callback of shape n
  OWN, // a custom manager's answer, given by `own`
  OWN_PUSH, // the same, of a push
  MASTER, // a text follows: master n
  FORGET, // master n is not needed any more
  PIECE, // a text follows: master n grows by its members
} = words;

/** Calls that may wait before there must be more room; a power of two. */
const ROOM = 1024;

/** Makes the functions that the addon calls. `failed(err)` counts an error that is not its own. */
module.exports = function createAnswers(deliver, failed) {
  /** The calls that wait, each at its number modulo the length: a callback, or a push. */
  const calls = Array.from({ length: ROOM });
  /** The number of the next call to be answered. */
  let next = 0;
  /** What custom managers answered, by the number of the call. */
  const owned = new Map();
  const masters = [];
  let tape = new Uint32Array(ROOM);

  return { calls, room, own, tapeOf, answer, forgetAll };

  /** Twice the room, for the calls from number `first` on. */
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

  /** The answer of a custom manager: the arguments of the callback; for a push lists and errors. */
  function own(seq, args) {
    owned.set(seq, args);
  }

  /** A tape of at least `length` words. */
  function tapeOf(length) {
    if (tape.length < length) {
      tape = new Uint32Array(2 * length);
    }
    return tape;
  }

  /** Answers as the first `length` words of the tape say; `values` are the texts and errors. */
  function answer(length, values) {
    for (let at = 0; at < length;) {
      const word = tape[at];
      const n = word >>> 4;
      at += 1;
      switch (word & 15) {
        case DONE:
          for (let i = 0; i < n; i += 1) {
            callBack(take(), null);
          }
          break;
        case LIST:
          callBack(take(), null, copy(tape[at], values));
          at += 1;
          break;
        case JOINED:
          callBack(take(), null, [].concat(...read(at, n, values)));
          at += n;
          break;
        case NUMBER:
          callBack(take(), null, values[tape[at] >>> 1]);
          at += 1;
          break;
        case PUSH:
          push(take(), read(at, n, values));
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
          masters[n] = JSON.parse(values[tape[at] >>> 1]);
          at += 1;
          break;
        case FORGET:
          masters[n] = undefined;
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

  /** A long list comes in pieces, over several turns. */
  function grow(n, members) {
    if (masters[n] === undefined) {
      masters[n] = members;
    } else {
      for (const member of members) masters[n].push(member);
    }
  }

  /** No list is answered with again before it is given anew. */
  function forgetAll() {
    masters.length = 0;
  }

  /** The next call, out of the queue. */
  function take() {
    const index = next & (calls.length - 1);
    const call = calls[index];
    calls[index] = undefined;
    next += 1;
    return call;
  }

  // What follows a word is the number of a master, or of a text or an error among the values; its
  // lowest bit tells.

  function list(word, values) {
    if (word & 1) {
      return masters[word >>> 1];
    }
    const value = values[word >>> 1];
    return typeof value === 'string' ? JSON.parse(value) : value;
  }

  function copy(word, values) {
    const members = list(word, values);
    return word & 1 ? members.slice() : members;
  }

  function read(at, n, values) {
    const lists = [];
    for (let i = at; i < at + n; i += 1) {
      lists.push(list(tape[i], values));
    }
    return lists;
  }

  function push(call, lists) {
    const errors = lists.map((each) => (Array.isArray(each) ? undefined : each));
    deliver(call, lists, errors, true);
  }

  function fail(call, err, shape) {
    const callback = typeof call === 'object' && call !== null ? call.callback : call;
    if (shape === shapes.PLAIN) {
      callBack(callback, err);
    } else {
      callBack(callback, err, shape === shapes.NULL ? null : undefined);
    }
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
    deliver(take(), lists, errors, false);
  }
};
