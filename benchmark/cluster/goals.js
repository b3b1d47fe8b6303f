'use strict';
/** What a push in a cluster must reach, as ratios to 0.0.7, and whether it did. */

const { METRICS, ratios } = require('./figures');

const at = (clients, size, metric, least, aim) => ({ clients, size, metric, least, aim });

const GOALS = [
  at('plain', 1000, 'whole', 0.5, 0.38),
  at('plain', 1000, 'connectors', 0.48, 0.35),
  at('deflate', 1000, 'whole', 0.22, 0.15),
  at('deflate', 1000, 'connectors', 0.22, 0.15),
  at('plain', 1000, 'p50', 0.2, 0.13),
  at('deflate', 1000, 'p50', 0.17, 0.1),
  at('plain', 1000, 'chat', 0.6, 0.45),
  at('plain', 300, 'whole', 0.7, 0.5),
  at('plain', 30, 'whole', 1.3, 1),
  at('plain', 30, 'p50', 0.1, 0.1),
  at('plain', 1000, 'bytes', 0.06, null),
  at('plain', 1000, 'changed', 0.07, null),
  at('plain', 1000, 'highest', 2, 2.8),
  at('deflate', 1000, 'highest', 5, 10),
];

/** Those that were measured, with the ratio's spread and `met`: 'aim', 'yes' or 'no'. */
function compare(records) {
  return GOALS.map((goal) => {
    const measured = ratios(records, goal, 'ours', METRICS[goal.metric]);
    if (measured.median === null) return null;
    const more = goal.metric === 'highest';
    const reaches = (value) =>
      value !== null && (more ? measured.median >= value : measured.median <= value);
    const met = reaches(goal.aim) ? 'aim' : reaches(goal.least) ? 'yes' : 'no';
    return { ...goal, more, measured, met };
  }).filter(Boolean);
}

module.exports = { GOALS, compare };
