'use strict';

// A page of members or of channels, as the app sees it, of what the addon gives (src/pages/page.rs).

module.exports = function pageOf(isOfChannels, { names, counts, cursor }) {
  return isOfChannels
    ? { channels: names.map((name, i) => ({ name, count: counts[i] })), cursor }
    : { members: names, cursor };
};
