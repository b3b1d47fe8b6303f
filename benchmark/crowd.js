'use strict';
/**
 * Measures a cell with several processes of one contestant at once, each with its own calls in flight and its own
 * users. A single process is in processes.js.
 */

/** Measures `cell` with `cell.writers` processes that `create` makes; resolves to their sum. */
async function measureCrowd(create, cell, timing) {
  const members = Array.from({ length: cell.writers }, create);
  try {
    await Promise.all(members.map((member) => member.start()));
    // A process that is done keeps up its load until the others are done.
    const longer = { ...timing, coolDown: timing.seconds };
    const figures = await Promise.all(
      members.map((member, writer) => member.ask({ cell: { ...cell, writer }, timing: longer })),
    );
    return together(figures);
  } finally {
    await Promise.all(members.map((member) => member.end()));
  }
}

/** Returns the sum of the figures. Rates are summed, since each process measured its own time. */
function together(figures) {
  const sum = (of) => figures.reduce((total, figure) => total + of(figure), 0);
  const ops = sum((figure) => figure.ops);
  const known = figures.every(({ mainCpu }) => mainCpu !== null);
  return {
    ops,
    seconds: ops / sum((figure) => figure.ops / figure.seconds),
    mainCpu: known ? sum(({ mainCpu }) => mainCpu) : null,
    processCpu: sum(({ processCpu }) => processCpu),
  };
}

module.exports = { measureCrowd };
