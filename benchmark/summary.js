'use strict';
/**
 * Computes figures from records: medians over the rounds, ratios to 0.0.7 in the same round, and the goals that are
 * reached. report.js and chart.js show them.
 */

const { TARGETS } = require('./cells');
const { BASELINE } = require('./contestants');
const memory = require('./memory');

const known = (value) => typeof value === 'number' && Number.isFinite(value);

function median(values) {
  const sorted = values.filter(known).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const perSecond = ({ ops, seconds }) => ops / seconds;
const mainCpu = ({ ops, mainCpu: spent }) => (known(spent) ? spent / ops : null);

/**
 * Returns `figures[cell][contestant]`: ops/s; CPU µs per op of the main thread and of the process; the
 * ratios of ops/s (`speed`, with the least and the most of all rounds) and of both CPU times.
 */
function summarise(records) {
  const figures = {};
  for (const { cell, contestant } of records) {
    if (cell === memory.cell.id) continue;
    figures[cell] = figures[cell] || {};
    figures[cell][contestant] = figures[cell][contestant] || of(records, cell, contestant);
  }
  return figures;
}

function of(records, cell, contestant) {
  const all = records.filter((record) => record.cell === cell && record.contestant === contestant);
  const good = all.filter(({ error }) => !error);
  const against = (figure) =>
    good.map((record) => {
      const base = records.find(
        (other) =>
          other.cell === cell && other.round === record.round && other.contestant === BASELINE,
      );
      return base && !base.error ? figure(record) / figure(base) : null;
    });
  const speeds = against(perSecond).filter(known);
  return {
    opsPerSecond: median(good.map(perSecond)),
    mainCpu: median(good.map(mainCpu)),
    processCpu: median(good.map(({ ops, processCpu }) => processCpu / ops)),
    speed: median(speeds),
    least: speeds.length ? Math.min(...speeds) : null,
    most: speeds.length ? Math.max(...speeds) : null,
    cpu: median(against((record) => mainCpu(record) || NaN)),
    cpuOfAll: median(against(({ ops, processCpu }) => processCpu / ops)),
    failed: all.length - good.length,
    inside: inside(good),
    stale: good.reduce((sum, { stale = 0 }) => sum + stale, 0),
  };
}

/** Returns from our `stats()`: cache hits as a share of the lists read, and calls per batch. */
function inside(records) {
  const shares = records
    .filter(({ stats }) => stats)
    .map(({ stats: { calls, batches, hits, misses, rereads } }) => ({
      hits: hits / (hits + misses + rereads),
      rereads: rereads / (hits + misses + rereads),
      calls: calls / batches,
    }));
  const of = (name) => median(shares.map((share) => share[name]));
  return { hits: of('hits'), rereads: of('rereads'), calls: of('calls') };
}

/** Returns the RSS in bytes per cached member, beside that without the cache and what `stats()` counts. */
function summariseMemory(records) {
  const of = (contestant, name) =>
    median(
      records
        .filter((record) => record.cell === memory.cell.id && record.contestant === contestant)
        .map((record) => record[name]),
    );
  return { rss: of('ours', 'rss'), control: of('uncached', 'rss'), counted: of('ours', 'counted') };
}

/** Returns the goals that were measured: `{title, least, aim, measured, low, high, cell, met}`. */
function compare(figures, memoryFigures) {
  return TARGETS.map((target) => {
    const lowIsGood = !['speed', 'level'].includes(target.measure);
    const values =
      target.measure === 'rss'
        ? [{ value: memoryFigures.rss }]
        : target.cells.map((cell) => ({
            cell,
            figure: (figures[cell] || {})[target.contestant],
            value: valueOf(figures, cell, target),
          }));
    const [worst] = values
      .filter(({ value }) => known(value))
      .sort((a, b) => (lowIsGood ? b.value - a.value : a.value - b.value));
    if (!worst) return null;
    const reaches = (goal) =>
      goal !== null && (lowIsGood ? worst.value <= goal : worst.value >= goal);
    const met = reaches(target.aim) ? 'aim' : reaches(target.least) ? 'yes' : 'no';
    const { least: low, most: high } = target.measure === 'speed' ? worst.figure : {};
    return { ...target, measured: worst.value, cell: worst.cell, low, high, met };
  }).filter(Boolean);
}

function valueOf(figures, cell, { measure, contestant, than, rival }) {
  const figure = (id, of = contestant) => (figures[id] || {})[of] || {};
  return measure === 'level'
    ? figure(cell).opsPerSecond / figure(than, rival).opsPerSecond
    : figure(cell)[measure];
}

module.exports = { summarise, summariseMemory, compare };
