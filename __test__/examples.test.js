'use strict';

/**
 * Each `@example` of index.d.ts compiles by itself, in strict mode, and there is one for each method. What the methods
 * do is tested in the other files.
 */

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, it } = require('node:test');

const root = path.join(__dirname, '..');
const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');

/** Names that an example may use without declaring them, as in an app. */
const AMBIENT = `
type Package = typeof import('pome-globalchannel-plugin');
type Options = { globalChannel: import('pome-globalchannel-plugin').GlobalChannelOptions };
type GlobalChannelError = import('pome-globalchannel-plugin').GlobalChannelError;
declare const app: { configure(env: string, type: string, fn: () => void): void } & import('pome-globalchannel-plugin').Application & {
  use(plugin: Pick<Package, 'components'>, opts: Options): void;
};
declare const pinusApp: { use(plugin: { name: string; components: unknown[] }, opts: Options): void };
declare const globalChannel: Package;
declare const channel: import('pome-globalchannel-plugin').GlobalChannel;
declare const session: { uid: string; frontendId: string };
`;

/** The code below each `@example`, with what it documents: the line after the comment. */
function examples(text) {
  return [...text.matchAll(/\/\*\*\n([^]*?)\*\/\n *(.*)/g)].flatMap(([, comment, documented]) =>
    comment
      .replace(/^ *\* ?/gm, '')
      .split(/^@example$/m)
      .slice(1)
      .map((example) => ({ documented, code: /```ts\n([^]*?)```/.exec(example)[1] })),
  );
}

/** The errors of tsc in these examples; `N.mts` is the example with that index. */
function compile(found) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'examples-'));
  const write = (file, text) => fs.writeFileSync(path.join(folder, file), text);
  try {
    write('ambient.d.ts', AMBIENT);
    found.forEach(({ code }, i) => write(`${i}.mts`, `${code}\nexport {};\n`));
    const { compilerOptions } = JSON.parse(read('tsconfig.json'));
    const options = {
      ...compilerOptions,
      typeRoots: [path.join(root, 'node_modules/@types')],
      paths: { 'pome-globalchannel-plugin': [path.join(root, 'index.d.ts')] },
    };
    write('tsconfig.json', JSON.stringify({ compilerOptions: options, include: ['*'] }));
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    const args = [tsc, '-p', folder, '--pretty', 'false'];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    return { status, errors: stdout };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

// The compiler needs a newer Node than the package.
const skip = parseInt(process.versions.node, 10) < 20;

describe('the examples of index.d.ts', () => {
  const found = examples(read('index.d.ts'));

  it('compile', { skip }, () => {
    const { status, errors } = compile(found);
    const where = errors.replace(
      /^(\d+)\.mts/gm,
      (_, i) => `\n${found[i].documented}\n${found[i].code}`,
    );
    assert.strictEqual(status, 0, where);
  });

  it('do not compile with a mistake, so that the test above can fail', { skip }, () => {
    const { status, errors } = compile([{ code: "channel.add('room-1', 'alice');" }]);
    assert.notStrictEqual(status, 0);
    assert.match(errors, /^0\.mts.*TS2554/m);
  });

  it('exist for each method of GlobalChannel', () => {
    const [, body] = /^export class GlobalChannel \{\n([^]*?)^\}/m.exec(read('index.d.ts'));
    // Of two signatures the first has the comment.
    const methods = new Set([...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name));
    assert.ok(methods.has('constructor') && methods.has('pushMessage'), `${[...methods]}`);
    assert.deepStrictEqual(
      [...methods].filter(
        (method) => !found.some(({ documented }) => documented.startsWith(`${method}(`)),
      ),
      [],
    );
  });
});
