'use strict';
/**
 * The order of a run. In a round each contestant has its own process. The cells are measured one after the other, each
 * with all contestants, one at a time, so that compared figures are seconds apart. The first contestant changes with
 * each cell and round. Some contestants take part in the first rounds only (contestants.js).
 */

const { contestants } = require('./contestants');
const memory = require('./memory');
const processes = require('./processes');
const { seed } = require('./seed');

/**
 * Runs all rounds, and calls `onCell(round, cell, records)` for each cell. Resolves to all records:
 * `{round, cell, contestant}` with the figures of loop.js or `error`.
 */
async function runRounds({ stores, cells, chosen, rounds, timing, profiles, onCell }) {
  const records = [];
  for (let round = 0; round < rounds; round += 1) {
    const inRound = chosen.filter((contestant) => !(contestant.rounds <= round));
    const running = inRound.map((contestant) => ({
      contestant,
      process: processes.create(stores, contestant, profiles),
    }));
    try {
      for (const [index, cell] of cells.entries()) {
        const taken = await measureCell(cell, rotate(running, round + index), timing);
        const ofCell = taken.map((record) => ({ round, cell: cell.id, ...record }));
        records.push(...ofCell);
        onCell(round, cell, ofCell);
      }
    } finally {
      await Promise.all(running.map(({ process }) => process.end()));
    }
  }
  return records;
}

async function measureCell(cell, running, timing) {
  const taken = [];
  const seeded = new Set();
  for (const { contestant, process } of running) {
    if (!process.takes(cell)) continue;
    const { store } = process;
    if (!seeded.has(store) || cell.writes) await seed(store, cell);
    seeded.add(store);
    taken.push({ contestant: contestant.id, ...(await process.measure(cell, timing)) });
  }
  return taken;
}

const rotate = (list, by) => list.map((_, i) => list[(i + by) % list.length]);

/** Measures the cell of memory.js with the cache and without, each in a fresh process. */
async function runMemory({ stores, rounds, onCell }) {
  const ours = contestants.find(({ id }) => id === 'ours');
  const records = [];
  for (let round = 0; round < Math.min(rounds, memory.ROUNDS); round += 1) {
    const ofCell = [];
    for (const [id, cache] of [
      ['ours', { maxBytes: memory.MAX_BYTES }],
      ['uncached', false],
    ]) {
      await seed(stores.redis, memory.cell);
      const process = processes.create(stores, { ...ours, opts: { cache } });
      const result = await process.measure(memory.cell, {});
      await process.end();
      ofCell.push({ round, cell: memory.cell.id, contestant: id, ...result });
    }
    records.push(...ofCell);
    onCell(round, memory.cell, ofCell);
  }
  return records;
}

module.exports = { runRounds, runMemory };
