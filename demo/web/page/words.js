// Describes the cluster's state: the results of a push, the members of a channel. Pure functions that return items
// `{title, text, mark}` for view.js; `mark` is a class name in cluster.css.

/** The members of a channel in the store, on all connectors; some may be gone. */
export function channelMembers({ members }, users) {
  const online = new Set(users.filter(({ state }) => state === 'online').map(({ uid }) => uid));
  return Object.values(members)
    .flat()
    .sort()
    .map((uid) => (online.has(uid) ? { text: uid } : { text: `${uid} gone`, mark: 'gone' }));
}

/** A push and its results so far. */
export function outcome({ by, channel, text, times, answer }) {
  const title = `${by} to ${channel}: “${text}”`;
  const came = arrivals(times);
  if (!answer) return { title, text: `${came} Waiting for the answer.` };
  if (answer.error) return { title, text: `${came} It failed: ${answer.error}.`, mark: 'bad' };
  const missed = [];
  if (answer.failed.length > 0) missed.push(`${answer.failed.join(', ')} (failed uids)`);
  if (answer.left.length > 0) missed.push(`${answer.left.join(', ')} (connector dead)`);
  if (missed.length === 0) return { title, text: `${came} No failed uids.`, mark: 'good' };
  return { title, text: `${came} Not reached: ${missed.join('; ')}.`, mark: 'bad' };
}

function arrivals(times) {
  if (times.length === 0) return 'No arrival.';
  const all = times.map(({ ms }) => ms);
  const [first, last] = [Math.min(...all), Math.max(...all)].map((ms) => ms.toFixed(1));
  const clients = times.length === 1 ? '1 client' : `${times.length} clients`;
  return `Arrived at ${clients} in ${first === last ? last : `${first}–${last}`} ms.`;
}
