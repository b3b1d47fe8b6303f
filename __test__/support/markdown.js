'use strict';

/** Reads a Markdown text: the targets of its links, its anchors, and the files that it names; and those that comments name. */

/** Without blocks of code, in which nothing is a link or a heading. */
const prose = (text) => text.replace(/^( *)```[^]*?^\1```$/gm, '');

/** The targets of links and pictures to files of the package and to headings: `docs/CLI.md#copy`, `#api`. */
function links(text) {
  const all = [...prose(text).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target]) => target);
  return all.filter((target) => !/^[a-z]+:/.test(target));
}

/** The anchors of the headings, as GitHub and npm make them. */
function anchors(text) {
  const headings = [...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replace(/ /g, '-'),
  );
}

/** The files and folders that a text names as code: `driver/mod.rs`, `lib/host.js`, `src/cache/`. */
function paths(text) {
  const all = [...prose(text).matchAll(/`([\w./-]+(?:\.rs|\.js|\/))`/g)].map(([, name]) => name);
  return [...new Set(all)];
}

/** The files that the comments of a source name: `src/lease.rs`, `../support/app.js`, without what leads up. */
function commentedPaths(text) {
  const comments = text.match(/^ *(?:\/\/|\/?\*).*$/gm) || [];
  const names = comments.flatMap((line) =>
    [
      ...line.matchAll(
        /(?<![\w@*<{}/.-])(?:\.\.?\/)*((?:[\w.-]+\/)*[\w-]+(?:\.test)?\.(?:js|rs|md|c))(?![\w/-])/g,
      ),
    ].map(([, name]) => name),
  );
  return [...new Set(names)];
}

module.exports = { links, anchors, paths, commentedPaths };
