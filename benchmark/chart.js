'use strict';
/**
 * Draws docs/benchmark.svg: each contestant's calls per second in the cells of CHART, as a multiple of 0.0.7's, on a
 * logarithmic axis. echarts renders it without a browser.
 */

const echarts = require('echarts');
const { CHARTED, cells } = require('./cells');
const { contestants } = require('./contestants');
const { ratio } = require('./format');
const { FONT, ink, withDarkMode } = require('./ink');
const { summarise } = require('./summary');

const WIDTH = 960;
const ROW = 32;
const LEFT = 324;
const RIGHT = 60;
const TOP = 136;
const BOTTOM = 48;
const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];

const SHAPE = {
  ours: ['circle', 15],
  embedded: ['circle', 13],
  uncached: ['circle', 11],
  ioredis: ['rect', 9],
  autopipe: ['diamond', 12],
  'node-redis': ['triangle', 11],
  glide: ['roundRect', 9],
  limit: ['path://M0,0 L2,0 L2,16 L0,16 Z', [3, 18]],
};

function draw(run) {
  const figures = summarise(run.records);
  // echarts puts the first category at the bottom.
  const rows = cells
    .filter(({ id }) => CHARTED.includes(id) && figures[id])
    .sort((a, b) => CHARTED.indexOf(b.id) - CHARTED.indexOf(a.id));
  const shown = contestants
    .filter(({ id }) => SHAPE[id] && run.contestants.includes(id))
    .map(({ id, label }) => ({ id, label, points: pointsOf(id, rows, figures) }));
  const height = TOP + rows.length * ROW + BOTTOM;
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({
    animation: false,
    backgroundColor: ink('page'),
    textStyle: { fontFamily: FONT, color: ink('text') },
    title: title(run),
    legend: legend(shown),
    grid: { left: LEFT, right: RIGHT, top: TOP, bottom: BOTTOM },
    xAxis: multiples(shown),
    yAxis: [
      names(rows.map((row) => row.title)),
      // Our figures as labels too, where no point overlaps them.
      { ...names(rows.map(({ id }) => ratio((figures[id].ours || {}).speed))), ...FIGURES },
    ],
    // Ours last, so that it is drawn above the others.
    series: [baseline, ...shown.toReversed().map(series)],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return withDarkMode(svg);
}

const names = (data) => ({
  type: 'category',
  data,
  axisLabel: { fontSize: 12.5, color: ink('text') },
  axisLine: { show: false },
  axisTick: { show: false },
  splitLine: { show: true, lineStyle: { color: ink('line') } },
});

const FIGURES = {
  position: 'right',
  splitLine: { show: false },
  axisLabel: { fontSize: 12.5, fontWeight: 600, color: ink('ours') },
};

/** Returns `[multiple, row]` for each row in which this contestant has a figure. */
const pointsOf = (id, rows, figures) =>
  rows
    .map((row, index) => [(figures[row.id][id] || {}).speed, index])
    .filter(([speed]) => typeof speed === 'number');

function title({ machine, rounds }) {
  const median = rounds > 1 ? `median of ${rounds} rounds; ` : '';
  return {
    text: 'Calls per second, as multiples of pomelo-globalchannel-plugin 0.0.7',
    subtext: `${machine.machine}, Redis on the same machine; ${median}more is better`,
    left: 24,
    top: 14,
    textStyle: { fontSize: 18, fontWeight: 600, color: ink('text') },
    subtextStyle: { fontSize: 12, color: ink('faint') },
  };
}

/** Makes a legend for each column, at fixed positions, because the width of the reader's font is unknown. */
const legend = (shown) =>
  shown.map(({ label }, index) => ({
    left: 20 + (index % 4) * 232,
    top: 66 + Math.floor(index / 4) * 24,
    itemWidth: 12,
    itemHeight: 12,
    textStyle: { fontSize: 12, color: ink('text') },
    data: [label],
  }));

/** Returns the axis of multiples, as long as the points need. */
function multiples(shown) {
  const values = shown.flatMap(({ points }) => points.map(([speed]) => speed));
  const from = TICKS.findLastIndex((tick) => tick <= Math.min(0.5, ...values));
  const to = TICKS.findIndex((tick) => tick >= Math.max(2, ...values));
  const ticks = TICKS.slice(Math.max(from, 0), to < 0 ? TICKS.length : to + 1);
  return {
    type: 'log',
    min: ticks[0],
    max: ticks.at(-1),
    axisLabel: { formatter: ratio, fontSize: 12, color: ink('faint'), customValues: ticks },
    axisTick: { show: false, customValues: ticks },
    axisLine: { show: false },
    splitLine: { lineStyle: { color: ink('line') } },
  };
}

/** The line at 0.0.7, drawn below all points. */
const baseline = {
  type: 'scatter',
  data: [],
  markLine: {
    silent: true,
    symbol: 'none',
    lineStyle: { color: ink('one'), width: 2, type: 'solid' },
    label: { formatter: '0.0.7', color: ink('one'), fontSize: 12 },
    data: [{ xAxis: 1 }],
  },
  z: 2,
};

const series = ({ id, label, points }) => ({
  name: label,
  type: 'scatter',
  symbol: SHAPE[id][0],
  symbolSize: SHAPE[id][1],
  itemStyle: { color: ink(id), opacity: 1 },
  emphasis: { disabled: true },
  cursor: 'default',
  z: id === 'ours' ? 5 : 3,
  data: points,
});

module.exports = { draw };
