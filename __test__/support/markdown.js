'use strict';

/** What tests of the documentation read of a Markdown text: where its links lead, and which anchors it has. */

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

module.exports = { links, anchors };
