'use strict';

/**
 * A naive cache in front of a service: it answers from a copy up to `age` ms old, though in call order. It is the control of the
 * suite: the checker must detect it.
 */

function makeStale(service, age) {
  const copies = new Map();
  const read = service.getMembersBySid;
  const waiting = [];

  service.getMembersBySid = function (name, sid, cb) {
    const key = `${name}:${sid}`;
    const call = { cb };
    waiting.push(call);
    const at = performance.now();
    const copy = copies.get(key);
    if (copy && at - copy.at < age) {
      setImmediate(answer, call, null, copy.members);
      return;
    }
    read.call(this, name, sid, (err, members) => {
      if (!err) copies.set(key, { members, at });
      answer(call, err, members);
    });
  };

  function answer(call, ...args) {
    call.args = args;
    while (waiting.length > 0 && waiting[0].args) {
      const { cb, args } = waiting.shift();
      cb(...args);
    }
  }
}

module.exports = { makeStale };
