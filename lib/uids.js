'use strict';

// A long array of uids on its way to the addon. Read here, because each value that the addon reads takes a Node-API call
// or three: a hundred thousand of them would hold up the event loop. `src/binding/values/args.rs` is the other end.

const DIVIDER = '\0';

/** In UTF-16 units: one string cannot have more than half a billion. */
const LONGEST = 1 << 24;

/** One text for an array of plain uids; else an array, of which each element was read once. */
module.exports = function uids(array) {
  const { length } = array;
  const items = [];
  let left = LONGEST;
  for (let i = 0; i < length; i += 1) {
    const item = array[i];
    items.push(item);
    // No uid, and there may be billions of them: the first one will be told of.
    if (item === undefined) return items;
    left -= room(item);
  }
  return left >= 0 ? items.join(DIVIDER) : items;
};

/** What it takes in the text; too much for what is no plain uid. */
function room(item) {
  switch (typeof item) {
    case 'string':
      return item.includes(DIVIDER) ? Infinity : item.length + 1;
    case 'number':
    case 'boolean':
    case 'bigint':
      return 1;
    default:
      return Infinity;
  }
}
