'use strict';

/** Reads all pages of a scan, as an app does. */

const { call } = require('./call');

/** The pages of `method(...args, {...opts, cursor})`; `between` runs after each page but the last. */
async function pages(service, method, args, opts = {}, between = () => {}) {
  const all = [];
  let cursor = null;
  do {
    const { err, argc, value } = await call(service, method, ...args, { ...opts, cursor });
    if (err) throw err;
    if (argc !== 2) throw new Error(`${argc} arguments`);
    all.push(value);
    ({ cursor } = value);
    if (cursor !== null) await between(all.length);
    if (all.length > 10000) throw new Error('the scan does not end');
  } while (cursor !== null);
  return all;
}

/** All members of a list, page by page. */
async function scanned(service, name, sid, ...rest) {
  const all = await pages(service, 'scanMembers', [name, sid], ...rest);
  return all.flatMap(({ members }) => members);
}

/** All channels, page by page. */
async function channels(service, ...rest) {
  const all = await pages(service, 'getChannels', [], ...rest);
  return all.flatMap((page) => page.channels);
}

module.exports = { pages, scanned, channels };
