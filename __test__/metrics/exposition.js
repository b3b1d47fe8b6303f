'use strict';

/** Reads Prometheus' text format: `{types: {family: type}, samples: {'name{a="b",…}': value}}`, labels sorted by name. */
module.exports = function parse(text) {
  const types = {};
  const samples = {};
  for (const line of text.split('\n').filter(Boolean)) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type) types[type[1]] = type[2];
    if (line.startsWith('#')) continue;
    const [, name, , labels = '', value] = /^([a-z_]+)(\{(.*)\})? (\S+)$/.exec(line);
    const pairs = [...labels.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map(([pair]) => pair);
    const key = pairs.length > 0 ? `${name}{${pairs.sort().join(',')}}` : name;
    if (key in samples) throw new Error(`${key} stands twice`);
    samples[key] = Number(value);
  }
  return { types, samples };
};
