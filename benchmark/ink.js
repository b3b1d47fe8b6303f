'use strict';
/** Colours and letters of the charts, in light and in dark. */

const FONT = 'system-ui, Roboto, Helvetica, sans-serif';

/** Light and dark; the style sheet in the picture swaps one for the other, as the reader's system says. */
const INK = {
  page: ['#ffffff', '#0d1117'],
  text: ['#1f2329', '#e6edf3'],
  faint: ['#59636f', '#9198a2'],
  line: ['#e4e7eb', '#262c34'],
  one: ['#57606b', '#b1bac5'],
  ours: ['#c2410d', '#fb923d'],
  embedded: ['#be185d', '#f472b6'],
  uncached: ['#e8a878', '#9a5a2c'],
  ioredis: ['#2563ec', '#60a5fb'],
  autopipe: ['#0891b3', '#22d3ef'],
  'node-redis': ['#15803e', '#4ade81'],
  glide: ['#7c3aee', '#a78bfb'],
  limit: ['#8b95a2', '#6e7782'],
};

const ink = (name) => INK[name][0];

/** Adds a style sheet for dark mode, which takes precedence over the attributes that echarts writes. */
function withDarkMode(svg) {
  const rules = Object.values(INK).flatMap(([light, dark]) =>
    ['fill', 'stroke'].map((name) => `[${name}="${light}"]{${name}:${dark}}`),
  );
  const style = `<style>@media (prefers-color-scheme:dark){${rules.join('')}}</style>`;
  return svg.replace(/<svg[^>]*>/, (tag) => tag + style);
}

module.exports = { FONT, ink, withDarkMode };
