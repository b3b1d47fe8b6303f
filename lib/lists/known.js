'use strict';

// The pushing server's record of what one frontend has, by channel: that the channel was pushed to, and then the list
// and its number. Bounded in bytes; the least recently used channel is dropped first.

const { difference, isSame } = require('./difference');
const { EXCEPT, bytesOf, limits } = require('./protocol');

/** Estimated bytes of a channel without its list and name. */
const BARE = 200;

/** Numbers are unique in the process, over all frontends. */
let lastNumber = 0;

/** Makes an empty record. `maxBytes()` is its limit, read at each addition. */
module.exports = function createKnown(maxBytes) {
  /** By the channel's name: `{name, list, number, bytes}`; number is 0 if there is no list. */
  const channels = new Map();
  let bytes = 0;

  return { find, add, describe, unknown, unknownAll, clear, bytes: () => bytes };

  /** Returns the record of a channel, if it was pushed to before, and makes it the most recently used. */
  function find(name) {
    const channel = channels.get(name);
    if (channel) {
      channels.delete(name);
      channels.set(name, channel);
    }
    return channel;
  }

  function add(name) {
    const channel = { name, list: undefined, number: 0, bytes: bareBytes(name) };
    channels.set(name, channel);
    bytes += channel.bytes;
    shrink();
  }

  /**
   * Returns the users of a push, `{list, gone}`, as `{kind, args}`: as its last arguments a number (`named`), a difference
   * (`changed`) or the list (`whole`), and then the uids that are left out of it. From then on the frontend is assumed to
   * have the list.
   */
  function describe(channel, { list, gone }) {
    const described = describeList(channel, list);
    if (gone) {
      const { args } = described;
      while (args.length < EXCEPT) args.push(null);
      args.push(gone.map((place) => list.uids[place]));
    }
    return described;
  }

  function describeList(channel, { uids, isFixed }) {
    const { list, number } = channel;
    if (number > 0) {
      if (isFixed && list === uids) {
        return named(number);
      }
      if (isSame(list, uids)) {
        // The next push may bring the same array, which then need not be compared.
        if (isFixed) channel.list = uids;
        return named(number);
      }
      const change = difference(list, uids, isFixed);
      if (change) {
        const { removed, added } = change;
        if (removed.length + added.length === 0) {
          keep(channel, uids, isFixed, number);
          return named(number);
        }
        const args = [next(channel, uids, isFixed), null, number, removed, added];
        return { kind: 'changed', args };
      }
    }
    // A copy: where an RPC stays in the process, the frontend's end keeps this very array.
    return { kind: 'whole', args: [next(channel, uids, isFixed), uids.slice()] };
  }

  function next(channel, uids, isFixed) {
    lastNumber += 1;
    keep(channel, uids, isFixed, lastNumber);
    return lastNumber;
  }

  function keep(channel, uids, isFixed, number) {
    const size = bareBytes(channel.name) + bytesOf(uids);
    bytes += size - channel.bytes;
    Object.assign(channel, { list: isFixed ? uids : uids.slice(), number, bytes: size });
    shrink();
  }

  /** Forgets the list with that number, because it is uncertain whether the frontend has it. */
  function unknown(channel, number) {
    if (channel.number === number) {
      const size = bareBytes(channel.name);
      if (channels.get(channel.name) === channel) bytes += size - channel.bytes;
      Object.assign(channel, { list: undefined, number: 0, bytes: size });
    }
  }

  /** Forgets all lists, because the frontend has dropped them. The channels are remembered. */
  function unknownAll() {
    for (const channel of channels.values()) unknown(channel, channel.number);
  }

  function clear() {
    channels.clear();
    bytes = 0;
  }

  function shrink() {
    const most = Math.min(maxBytes(), limits.pusherBytes);
    for (const [name, oldest] of channels) {
      if (bytes <= most) break;
      channels.delete(name);
      bytes -= oldest.bytes;
    }
  }
};

function named(number) {
  return { kind: 'named', args: [number] };
}

/** Estimates the memory that the record of a channel takes without its list. */
function bareBytes(name) {
  return BARE + 2 * name.length;
}
