'use strict';

// The command remove. The removal itself is in src/inventory/departed.rs.

const { removeFrontend } = require('../stores');
const { CODES } = require('./exit');
const { named, plural, write } = require('./output');
const { createProgress } = require('./progress');

async function remove({ from, prefix, hashTag, sid, dryRun = false, json }) {
  const line = createProgress();
  const onProgress = ({ looked }) => line.show(plural(looked, 'key'), looked);
  let removed;
  try {
    removed = await removeFrontend({ from, prefix, hashTag, sid, isDry: dryRun, onProgress });
  } finally {
    line.end();
  }
  const { channels, members } = removed;
  if (json) {
    await write(`${JSON.stringify({ sid, channels, members, isDry: dryRun })}\n`);
  } else {
    const what = `${plural(members, 'member')} in ${plural(channels, 'channel')}`;
    await write(`${dryRun ? 'would remove' : 'removed'} ${what} on ${named(sid)}\n`);
  }
  return CODES.DONE;
}

module.exports = { remove };
