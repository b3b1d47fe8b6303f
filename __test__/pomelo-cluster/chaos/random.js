'use strict';

/** Random numbers that a seed repeats (mulberry32): `{below(n), between(least, most), pick(list)}`. */
module.exports = function createRandom(seed) {
  let state = seed >>> 0;

  return { below, between: (least, most) => least + below(most - least + 1), pick };

  function below(n) {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  }

  function pick(list) {
    return list[below(list.length)];
  }
};
