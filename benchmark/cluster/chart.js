'use strict';
/**
 * docs/benchmark-cluster.svg: what a push takes in a whole cluster with 0.0.7 and with this package,
 * for each kind of client and channel size: CPU time, time until the last client has it, and how many a
 * second are possible.
 */

const echarts = require('echarts');
const { plain, ratio: times } = require('../format');
const { FONT, ink, withDarkMode } = require('../ink');
const { METRICS, contestants, figure, ratios } = require('./figures');

const WIDTH = 960;
const ROW = 46;
const TOP = 132;
const BOTTOM = 28;
const LEFT = 176;
const BAR = 13;
const SHOWN = ['old', 'ours'];
const COLOUR = { old: 'limit', ours: 'ours' };
const KINDS = { plain: 'clients', deflate: 'with compression' };

/** Side by side; `length` makes bars of channels of all sizes comparable, `text` is what is written. */
const PANELS = [
  {
    title: 'CPU of all servers and Redis',
    hint: 'ms per push; a bar is µs per client',
    metric: METRICS.whole,
    length: (value, { size }) => value / size,
    text: (value) => `${plain(value / 1000)} ms`,
    left: LEFT,
    width: 260,
  },
  {
    title: 'Until the last client has it',
    hint: 'p50, ms',
    metric: METRICS.p50,
    length: (value) => value,
    text: (value) => `${plain(value)} ms`,
    left: LEFT + 360,
    width: 170,
  },
  {
    title: 'Highest rate',
    hint: 'pushes/s with p99 ≤ 250 ms',
    metric: METRICS.highest,
    length: (value) => value,
    text: (value) => `${plain(value)}/s`,
    left: LEFT + 615,
    width: 85,
  },
];

function draw({ records, ...run }) {
  const cells = run.clients.flatMap((kind) => run.sizes.map((size) => ({ clients: kind, size })));
  const rows = cells.toReversed();
  const height = TOP + rows.length * ROW + BOTTOM;
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  const shown = contestants.filter(({ id }) => SHOWN.includes(id) && run.contestants.includes(id));
  chart.setOption({
    animation: false,
    backgroundColor: ink('page'),
    textStyle: { fontFamily: FONT, color: ink('text') },
    title: [heading(run), ...PANELS.map(panelTitle)],
    legend: {
      left: LEFT - 4,
      top: 62,
      itemWidth: 12,
      itemHeight: 12,
      icon: 'rect',
      textStyle: { fontSize: 12, color: ink('text') },
      data: shown.map(({ label }) => label),
    },
    grid: PANELS.map(({ left, width }) => ({ left, width, top: TOP, bottom: BOTTOM })),
    xAxis: PANELS.map((_, i) => ({ type: 'value', gridIndex: i, show: false, min: 0 })),
    yAxis: PANELS.map((_, i) => axis(i, rows)),
    series: PANELS.flatMap((panel, i) =>
      shown.map((contestant) => series(panel, i, contestant, rows, records)),
    ),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return withDarkMode(svg);
}

const heading = ({ machine, rounds }) => ({
  text: 'A push in a whole cluster, 0.0.7 and this package',
  subtext:
    `3 connectors, a chat server, Redis and the clients on ${machine.machine}; ` +
    `median of ${rounds} round${rounds === 1 ? '' : 's'}`,
  left: 24,
  top: 14,
  textStyle: { fontSize: 18, fontWeight: 600, color: ink('text') },
  subtextStyle: { fontSize: 12, color: ink('faint') },
});

const panelTitle = ({ title, hint, left }) => ({
  text: title,
  subtext: hint,
  left: left - 5,
  top: 86,
  itemGap: 2,
  textStyle: { fontSize: 13, fontWeight: 600, color: ink('text') },
  subtextStyle: { fontSize: 11, color: ink('faint') },
});

const axis = (gridIndex, rows) => ({
  type: 'category',
  gridIndex,
  data: rows.map(({ size, clients }) => `${size} ${KINDS[clients]}`),
  axisLabel: { show: gridIndex === 0, fontSize: 12.5, color: ink('text') },
  axisLine: { show: true, lineStyle: { color: ink('line') } },
  axisTick: { show: false },
});

function series({ metric, length, text }, i, { id, label }, rows, records) {
  const data = rows.map((cell) => {
    const value = figure(records, cell, id, metric);
    if (value === null) return { value: null };
    const times = id === 'ours' ? against(records, cell, metric) : '';
    return { value: length(value, cell), label: { formatter: text(value) + times } };
  });
  return {
    name: label,
    type: 'bar',
    xAxisIndex: i,
    yAxisIndex: i,
    barWidth: BAR,
    barGap: '15%',
    itemStyle: { color: ink(COLOUR[id]) },
    label: {
      show: true,
      position: 'right',
      distance: 5,
      fontSize: 11.5,
      color: ink(id === 'ours' ? 'ours' : 'faint'),
      fontWeight: id === 'ours' ? 600 : 400,
    },
    emphasis: { disabled: true },
    cursor: 'default',
    data,
  };
}

function against(records, cell, metric) {
  const { median } = ratios(records, cell, 'ours', metric);
  return median === null ? '' : ` (${times(median)})`;
}

module.exports = { draw };
