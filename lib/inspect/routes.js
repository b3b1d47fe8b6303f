'use strict';

// What the page may ask (server.js): one row for each view of views.js, with its parameters and their limits. A parameter
// that is not in the row, or is given twice, is refused.

/** The most elements of one page of a view, or keys of one page of a scan. */
const MOST = 1000;

/** The most keys that are counted for totals; the page asks for 100,000 first. As in views.js. */
const MOST_COUNTED = 2000000;

/** As in the addon: a glob or a cursor that is longer would be refused there. */
const MAX_MATCH_BYTES = 4096;

const text = (value) => value;

/** Reads a whole number from 1 to `most`. */
const upTo = (most) => (value, name) => {
  const number = Number(value);
  if (!/^\d{1,8}$/.test(value) || number < 1 || number > most) {
    throw refusal(400, `${name}: a number from 1 to ${most}`);
  }
  return number;
};

function glob(value, name) {
  if (Buffer.byteLength(value) > MAX_MATCH_BYTES) {
    throw refusal(400, `${name}: at most ${MAX_MATCH_BYTES} bytes`);
  }
  return value;
}

const PAGE = { cursor: text, limit: upTo(MOST) };
const COUNT = { limit: upTo(MOST_COUNTED) };

const ROUTES = {
  about: { call: about },
  overview: { may: COUNT, call: (views, args) => views.overview(args) },
  frontends: { may: COUNT, call: (views, args) => views.frontends(args) },
  channels: { may: { match: glob, ...PAGE }, call: (views, args) => views.channels(args) },
  members: {
    must: { name: text },
    may: { sid: text, ...PAGE },
    call: (views, args) => views.members(args),
  },
  whois: { must: { uid: text }, may: PAGE, call: (views, args) => views.whois(args) },
  find: { may: PAGE, call: (views, { limit }) => views.find({ limit }) },
  problems: { may: PAGE, call: (views, args) => views.problems(args) },
};

/** What the page says of every view: which store it is, and whether channels can be watched. */
async function about(views) {
  const { prefix, name } = await views.ask('store');
  return { prefix, name, live: Boolean(views.watch) };
}

/** Returns the route of a name, `{must, may, call}`, or undefined. */
function routeOf(name) {
  return Object.prototype.hasOwnProperty.call(ROUTES, name) ? ROUTES[name] : undefined;
}

/** Returns the arguments in a query; an empty optional one counts as not given. */
function argumentsOf(query, { must = {}, may = {} }) {
  const kinds = { ...may, ...must };
  const args = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (!Object.prototype.hasOwnProperty.call(kinds, name)) throw refusal(400, 'no such parameter');
    if (Object.prototype.hasOwnProperty.call(args, name))
      throw refusal(400, `${name}: given twice`);
    if (value !== '' || name in must) args[name] = kinds[name](value, name);
  }
  for (const name of Object.keys(must)) {
    if (!(name in args)) throw refusal(400, `${name}: missing`);
  }
  return args;
}

/** An answer that is not 200; the message is for the user. */
const refusal = (status, message) => Object.assign(new Error(message), { status });

module.exports = { argumentsOf, refusal, routeOf };
