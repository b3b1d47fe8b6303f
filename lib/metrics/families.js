'use strict';

// The metrics for Prometheus: names, types and units, and how each is read from the object that `stats()` returns. Base
// units are seconds and bytes; names of counters end in `_total`. No label has a channel's name or a uid.

const PREFIX = 'globalchannel_';

/** Makes a sample of each of `counts`, under its key as a label. */
const labelled = (label, counts) =>
  Object.entries(counts).map(([key, value]) => ({ value, labels: { [label]: key } }));

const one = (value) => [{ value: Number(value), labels: {} }];

const counter = (name, help, samples) => ({ name, type: 'counter', help, samples });

const gauge = (name, help, samples) => ({ name, type: 'gauge', help, samples });

/** One that the services of an app share. */
const ofApp = (family) => ({ ...family, isOfApp: true });

/** Reads a part of the statistics that is null without its option: no samples then. */
const within = (part, read) => (stats) => (stats[part] ? read(stats[part]) : []);

const FAMILIES = [
  gauge('build_info', 'The version of the package.', ({ version }) => [
    { value: 1, labels: { version } },
  ]),
  gauge('connected', 'Whether there is a connection to the store.', ({ connection }) =>
    one(connection === 'connected'),
  ),
  counter('reconnects_total', 'Connections to the store after the first.', ({ reconnects }) =>
    one(reconnects),
  ),
  counter('commands_total', 'Accepted calls.', ({ commands }) => labelled('method', commands)),
  counter('errors_total', 'Errors given to callbacks.', ({ errors }) => labelled('code', errors)),
  {
    name: 'command_duration_seconds',
    type: 'histogram',
    help: 'Time from a call to its callback; for a push until its RPCs are made.',
    samples: ({ latency: { bounds, methods } }) =>
      Object.entries(methods).flatMap(([method, its]) => histogram(bounds, its, { method })),
  },
  gauge('queue_length', 'Calls that are unanswered.', ({ queueLength }) => one(queueLength)),
  gauge('inflight_batches', 'Batches that the store has not answered.', ({ inFlight }) =>
    one(inFlight),
  ),
  counter('batches_total', 'Batches sent to the store.', ({ batches }) => one(batches)),
  gauge('cache_enabled', 'Whether lists are answered from memory.', ({ cache }) =>
    one(cache.enabled),
  ),
  counter('cache_hits_total', 'Lists answered from memory.', ({ cache }) => one(cache.hits)),
  counter('cache_misses_total', 'Lists read because they were not in memory.', ({ cache }) =>
    one(cache.misses),
  ),
  counter('cache_rereads_total', 'Lists read because they had changed.', ({ cache }) =>
    one(cache.rereads),
  ),
  counter('cache_invalidations_total', 'Changes reported by the store.', ({ cache }) =>
    one(cache.invalidations),
  ),
  gauge('cache_bytes', 'Memory of the lists.', ({ cache }) => one(cache.bytes)),
  counter('pushes_total', 'Pushes that were answered.', ({ pushes }) => one(pushes)),
  counter('push_rpcs_total', 'RPCs of pushes to frontends, by result.', ({ pushRpcs }) => [
    { value: pushRpcs.answered, labels: { result: 'answered' } },
    { value: pushRpcs.failed, labels: { result: 'failed' } },
    { value: pushRpcs.timedOut, labels: { result: 'timed_out' } },
    { value: pushRpcs.departed, labels: { result: 'departed' } },
  ]),
  counter('push_failed_uids_total', 'Members that pushes did not reach.', ({ failedUids }) =>
    one(failedUids),
  ),
  ofApp(
    counter('fanout_messages_total', 'Messages sent to clients, by way.', ({ fanOut }) => {
      const { native, shared, framework } = fanOut;
      return labelled('way', { native, shared, framework });
    }),
  ),
  ofApp(
    counter('fanout_slow_total', 'Slow clients: messages dropped, sessions closed.', ({ fanOut }) =>
      labelled('action', { drop: fanOut.slowDropped, close: fanOut.slowClosed }),
    ),
  ),
  gauge(
    'lease_held',
    'Whether this frontend holds its lease.',
    within('sessions', ({ lease }) => (lease ? one(lease.state === 'held') : [])),
  ),
  counter(
    'lease_renew_failures_total',
    'Renewals of the lease that failed.',
    within('sessions', ({ failedRenewals }) => one(failedRenewals)),
  ),
  gauge(
    'sessions',
    'Sessions of this frontend that are bound to a user.',
    within('sessions', ({ sessions }) => one(sessions)),
  ),
  gauge(
    'users',
    'Users of these sessions.',
    within('sessions', ({ users }) => one(users)),
  ),
  counter(
    'swept_frontends_total',
    'Dead frontends whose users this process has removed.',
    within('sessions', ({ sweptFrontends }) => one(sweptFrontends)),
  ),
  counter(
    'members_purged_total',
    'Members removed because their sessions or their frontend had ended.',
    within('membership', ({ leaves }) => labelled('reason', leaves)),
  ),
  counter(
    'members_put_back_total',
    'Members added again after they were removed.',
    within('membership', ({ putBack }) => one(putBack)),
  ),
  gauge(
    'leaves_waiting',
    'Users whose leave waits for its delay or for the store.',
    within('membership', ({ waiting }) => one(waiting)),
  ),
  gauge(
    'purge_lag_seconds',
    "Time from the end of a dead frontend's lease to the end of its last purge here.",
    within('membership', ({ purgeLag }) => (purgeLag === null ? [] : one(purgeLag / 1000))),
  ),
  counter(
    'scans_total',
    'Scans for members that others have added, to their ends.',
    within('membership', ({ scan }) => one(scan.runs)),
  ),
  counter(
    'scan_steps_total',
    'Steps of these scans.',
    within('membership', ({ scan }) => one(scan.steps)),
  ),
  counter(
    'scan_found_total',
    'Members that these scans have found.',
    within('membership', ({ scan }) => one(scan.entered)),
  ),
  gauge(
    'scan_duration_seconds',
    'Time that the last of these scans took.',
    within('membership', ({ scan }) => (scan.duration === null ? [] : one(scan.duration / 1000))),
  ),
  counter(
    'events_total',
    'Changes of watched channels.',
    within('events', ({ watched }) => one(watched)),
  ),
  counter(
    'event_gaps_total',
    'Times that changes may have been missed.',
    within('events', ({ gaps }) => one(gaps)),
  ),
  {
    name: 'event_lag_seconds',
    type: 'histogram',
    help: 'Time from sending a change to telling the listeners here, by the clocks of both machines.',
    samples: within('events', ({ lag }) => histogram(lag.bounds, lag, {})),
  },
].map((family) => Object.freeze({ ...family, name: PREFIX + family.name }));

/** Returns the samples of a histogram, with these labels: cumulative buckets, sum and count. */
function histogram(bounds, { count, sum, buckets }, labels) {
  const bucket = (le, value) => ({ suffix: '_bucket', value, labels: { le, ...labels } });
  return [
    ...bounds.map((bound, at) => bucket(String(bound / 1000), buckets[at])),
    bucket('+Inf', count),
    { suffix: '_sum', value: sum / 1000, labels },
    { suffix: '_count', value: count, labels },
  ];
}

/** The labels that samples have themselves. */
const OWN_LABELS = new Set([
  'method',
  'code',
  'le',
  'result',
  'way',
  'action',
  'reason',
  'version',
]);

module.exports = { FAMILIES, OWN_LABELS };
