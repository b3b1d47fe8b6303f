'use strict';

/**
 * The dashboard of docs/operate/ is one for Grafana: its model of a dashboard (the package grafana-foundation-sdk, which is made of Grafana's
 * schema) knows each field. What the expressions show of a real cluster is checked in pomelo-cluster/metrics.test.js.
 */

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const { programOf } = require('../../scripts/lib/wheel');

const DASHBOARD = path.join(__dirname, '../../docs/operate/grafana-dashboard.json');
const MODEL = 'grafana_foundation_sdk/models/dashboard.py';
const SDK = {
  name: 'grafana-foundation-sdk',
  version: '1769699998!10.1.0',
  program: 'model of a dashboard',
  find: (folder) => [path.join(folder, MODEL)].find((file) => fs.existsSync(file)),
};

/** What Grafana's model makes of a dashboard. */
function modelled(dashboard) {
  const folder = programOf(SDK).slice(0, -MODEL.length);
  const args = [path.join(__dirname, 'dashboard.py'), folder];
  const options = { input: JSON.stringify(dashboard), encoding: 'utf8' };
  const { status, stdout, stderr, error } = spawnSync('python3', args, options);
  if (error) throw error;
  assert.strictEqual(status, 0, stderr);
  return JSON.parse(stdout);
}

describe('the dashboard for Grafana', { skip: process.platform !== 'linux' }, () => {
  const dashboard = JSON.parse(fs.readFileSync(DASHBOARD, 'utf8'));

  it('has no field that Grafana does not know', () => {
    // What is left out has a default.
    assert.deepStrictEqual(common(modelled(dashboard), dashboard), dashboard);
  });

  it('and one that it does not know would be seen, and one of a wrong shape', () => {
    const unknown = { ...dashboard, colour: 'blue' };
    assert.notDeepStrictEqual(common(modelled(unknown), unknown), unknown);
    const wrong = {
      ...dashboard,
      panels: dashboard.panels.map((panel) => ({ ...panel, gridPos: 3 })),
    };
    assert.throws(() => modelled(wrong));
  });
});

/** The part of a value that `wanted` has too. */
function common(value, wanted) {
  if (Array.isArray(wanted) && Array.isArray(value)) {
    return value.map((element, i) => common(element, wanted[i]));
  }
  if (!isObject(wanted) || !isObject(value)) return value;
  const names = Object.keys(wanted).filter((name) => Object.hasOwn(value, name));
  return Object.fromEntries(names.map((name) => [name, common(value[name], wanted[name])]));
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
