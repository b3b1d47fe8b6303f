'use strict';

// The files of the inspector's page, read once: a request names one of them or nothing, so no path leads elsewhere.

const fs = require('fs');
const path = require('path');

const FOLDER = path.join(__dirname, 'page');
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/** Returns a map from a path below the token to `{type, body}`; the page itself is the empty path. */
function pageFiles() {
  const files = new Map();
  for (const name of fs.readdirSync(FOLDER)) {
    const type = TYPES[path.extname(name)];
    if (!type) continue;
    const body = fs.readFileSync(path.join(FOLDER, name));
    files.set(name === 'index.html' ? '' : name, { type, body });
  }
  return files;
}

module.exports = { pageFiles };
