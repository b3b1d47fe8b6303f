'use strict';

// The progress of long work, on stderr: on a terminal one line that is rewritten, with a bar that moves, because how much there is
// is not known before the end. Elsewhere, if `lines` is set, a new line from time to time; otherwise nothing.

const BAR = 20;
const BLOCK = 5;

/** The time between two pictures of the bar, and between two lines elsewhere, in ms. */
const FRAME = 100;
const LINE = 1000;

/** Work that takes less shows nothing. */
const DELAY = 300;

const CLEAR = '\r\x1b[K';

let isShown = false;

/** Removes the bar from the terminal, if there is one. */
function clearLine() {
  if (isShown) process.stderr.write(CLEAR);
  isShown = false;
}

/**
 * Makes `{show, end}`. `show(line, count)` tells how far it is, as words, with a count of which the rate is shown; `end` removes
 * the line.
 */
function createProgress({ lines = false } = {}) {
  const { stderr } = process;
  const begun = Date.now();
  let told = stderr.isTTY ? begun + DELAY - FRAME : begun;
  return {
    show(line, count) {
      const now = Date.now();
      if (now - told < (stderr.isTTY ? FRAME : LINE)) return;
      told = now;
      if (stderr.isTTY) {
        isShown = true;
        stderr.write(CLEAR + picture(line, count, now - begun, stderr.columns || 80));
      } else if (lines) {
        stderr.write(`${line}\n`);
      }
    },
    end: clearLine,
  };
}

function picture(line, count, ms, columns) {
  const turn = Math.floor(ms / FRAME) % (2 * (BAR - BLOCK));
  const at = Math.min(turn, 2 * (BAR - BLOCK) - turn);
  const bar = ' '.repeat(at) + '='.repeat(BLOCK) + ' '.repeat(BAR - BLOCK - at);
  const rate = Math.round((count * 1000) / Math.max(ms, 1));
  const text = `[${bar}] ${line}, ${rate}/s, ${Math.floor(ms / 1000)} s`;
  // A line that is wrapped could not be rewritten.
  return text.slice(0, Math.max(columns - 1, 1));
}

module.exports = { createProgress, clearLine };
