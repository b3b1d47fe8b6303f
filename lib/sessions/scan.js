'use strict';

// Finds the members on a frontend that are not in its index, because 0.0.7 or a process with `membership: 'persistent'` has added
// them, and adds them to the index. Nothing else: what becomes of them is decided as for all others, by comparisons with the
// sessions and by purges. It goes through the keys of all channels, so it is slow on purpose: small steps, with a pause after
// each, outside of the order of the calls.

/** The pause after a step, in ms. */
const PAUSE = 20;

/**
 * Makes `{run, close, stats}` for the frontends of `store`. There is one scan at a time, the others wait. `others()` returns or
 * resolves to the server ids of all frontends.
 */
module.exports = function createScan(store, others) {
  let last = Promise.resolve();
  let timer;
  let wake;
  let isOpen = true;
  const counts = { runs: 0, steps: 0, channels: 0, entered: 0, duration: null };

  return { run, close, stats: () => ({ ...counts }) };

  /**
   * Scans for the members on `sid`. After each page of channels `isWanted(entered)` is called with the number of those who
   * were added, and ends the scan if it returns false, or a promise of that. Resolves to whether it came to the end.
   */
  function run(sid, isWanted) {
    const scanned = last.then(() => scan(sid, isWanted));
    last = scanned.catch(() => {});
    return scanned;
  }

  async function scan(sid, isWanted) {
    const longer = (await others()).filter((other) => other.endsWith(`:${sid}`));
    // The key of channel `a:b` on `c` is that of `a` on `b:c`: see src/keys/mod.rs.
    const isOwn = (name) => !longer.some((other) => `:${name}:${sid}`.endsWith(`:${other}`));
    const begun = performance.now();
    for (let cursor = ''; ;) {
      const page = await store.channelsOn(sid, cursor);
      let entered = 0;
      counts.steps += 1;
      for (const name of page.names.filter(isOwn)) {
        counts.channels += 1;
        if (!isOpen) return false;
        entered += await enter(sid, name);
      }
      if (!isOpen || !(await isWanted(entered))) return false;
      ({ cursor } = page);
      if (cursor === '') {
        counts.runs += 1;
        counts.duration = Math.round(performance.now() - begun);
        return true;
      }
      await pause();
    }
  }

  async function enter(sid, name) {
    let entered = 0;
    for (let cursor = ''; ;) {
      const step = await store.enter(sid, name, cursor);
      counts.steps += 1;
      counts.entered += step.entered;
      entered += step.entered;
      ({ cursor } = step);
      await pause();
      if (cursor === '' || !isOpen) return entered;
    }
  }

  function pause() {
    if (!isOpen) return undefined;
    return new Promise((resolve) => {
      wake = resolve;
      timer = setTimeout(resolve, PAUSE).unref();
    });
  }

  /** Ends the scan that runs, after its step, and all that wait. */
  function close() {
    isOpen = false;
    clearTimeout(timer);
    wake?.();
  }
};
