'use strict';

// `metricsText(labels)` and `registerMetrics({client, register, labels})`: the counters of `stats()` for Prometheus, as text or in
// a registry of the app's own prom-client. Nothing is counted for it, and nothing runs between two scrapes.

const { FAMILIES, OWN_LABELS } = require('./families');
const { textOf } = require('./text');
const defineMethod = require('../defineMethod');
const { instanceOf } = require('../instances');
const { failures } = require('../tables');

/** The label that tells two services in one registry apart. */
const INSTANCE = 'instance';

/** For each registry its `{services, metrics}`; a service is `{channel, labels, number}`, in the order of registration. */
const registries = new WeakMap();

const failureOf = (channel) => channel['_host'].failure;

/** Returns the labels as texts; `of` makes the error if they are none. */
function labelsOf(given, failure) {
  if (given === undefined || given === null) return {};
  const wrong = (why) => failure(failures.ARGUMENT, undefined, `argument labels ${why}`);
  if (typeof given !== 'object' || Array.isArray(given)) throw wrong('is not an object');
  const labels = {};
  for (const [name, value] of Object.entries(given)) {
    const quoted = JSON.stringify(name);
    if (!/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) {
      throw wrong(`has ${quoted}, which cannot be the name of a label`);
    }
    if (OWN_LABELS.has(name)) throw wrong(`has ${quoted}, which the metrics have themselves`);
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      throw wrong(`has no text, number or boolean as ${quoted}`);
    }
    labels[name] = String(value);
  }
  return labels;
}

/** Returns the services of a registry with their labels; those of more than one have label `instance`. */
function labelled(services) {
  if (services.length < 2) return services;
  return services.map(({ channel, labels, number }) => ({
    channel,
    labels: { [INSTANCE]: String(number), ...labels },
  }));
}

/** Returns the first service of each app: its samples are those of the app. */
function oneOfEachApp(services) {
  const apps = services.map(({ channel }) => channel.app);
  return services.filter((service, at) => apps.indexOf(apps[at]) === at);
}

/** The statistics that were read for this scrape, in which each metric is asked for on its own. */
const read = new Map();

function statsOf(channel) {
  if (read.size === 0) setImmediate(() => read.clear());
  if (!read.has(channel)) read.set(channel, channel.stats());
  return read.get(channel);
}

/** Makes the object that a registry of prom-client takes as a metric. */
function metricOf({ name, type, help, samples, isOfApp }, services) {
  return {
    name,
    help,
    type,
    aggregator: 'sum',
    /** `this.name`, since a registry for OpenMetrics cuts `_total` off it, and adds it again. */
    get() {
      const shown = isOfApp ? oneOfEachApp(services) : services;
      const values = labelled(shown).flatMap(({ channel, labels }) =>
        samples(statsOf(channel)).map(({ suffix, value, labels: own }) => ({
          value,
          labels: { ...labels, ...own },
          ...(type === 'histogram' ? { metricName: name + suffix } : {}),
        })),
      );
      return { name: this.name, help, type, values, aggregator: 'sum' };
    },
    /** Called by `register.resetMetrics()`; the counters of a service are not reset. */
    reset() {},
  };
}

function registryOf({ client, register = client?.register }, failure) {
  const has = (method) => typeof register?.[method] === 'function';
  if (!['registerMetric', 'getSingleMetric', 'removeSingleMetric'].every(has)) {
    const words =
      'argument options needs the prom-client of the app as client, or a registry as register';
    throw failure(failures.ARGUMENT, undefined, words);
  }
  return register;
}

/** Adds a service to a registry; returns what removes it. */
function registerIn(register, service) {
  const known = registries.get(register) || { services: [], metrics: [] };
  const { services, metrics } = known;
  if (services.length === 0) metrics.push(...FAMILIES.map((each) => metricOf(each, services)));
  const numbers = services.map(({ number }) => number);
  const added = { ...service, number: Math.max(0, ...numbers) + 1 };
  services.push(added);
  const unregister = () => {
    const at = services.indexOf(added);
    if (at < 0) return;
    services.splice(at, 1);
    if (services.length > 0) return;
    registries.delete(register);
    const isOurs = (metric) => register.getSingleMetric(metric.name) === metric;
    for (const metric of metrics.filter(isOurs)) register.removeSingleMetric(metric.name);
  };
  try {
    // Also those that are there, since the app may have cleared the registry.
    for (const metric of metrics) register.registerMetric(metric);
  } catch (err) {
    // A name is taken by a metric of the app.
    unregister();
    throw err;
  }
  registries.set(register, known);
  return unregister;
}

/** Defines both methods on the class, not enumerable. */
module.exports = function defineMetrics(GlobalChannel) {
  defineMethod(GlobalChannel, 'metricsText', function metricsText(labels) {
    const channel = instanceOf(this) || this;
    return textOf([{ stats: channel.stats(), labels: labelsOf(labels, failureOf(channel)) }]);
  });
  defineMethod(GlobalChannel, 'registerMetrics', function registerMetrics(options) {
    const channel = instanceOf(this) || this;
    const given = typeof options === 'object' && options !== null ? options : {};
    const labels = labelsOf(given.labels, failureOf(channel));
    return registerIn(registryOf(given, failureOf(channel)), { channel, labels });
  });
};
