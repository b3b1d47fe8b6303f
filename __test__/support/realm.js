'use strict';

/**
 * Loads the package in a realm of its own (a `vm` context), as Jest does: JavaScript files run in the context, the addon
 * and Node's modules are those of the main realm.
 */

const fs = require('fs');
const { createRequire, builtinModules } = require('module');
const path = require('path');
const vm = require('vm');

const GLOBALS = ['console', 'process', 'Buffer', 'setTimeout', 'clearTimeout', 'setImmediate'];

/** Returns `{load, run}`: `load(file)` is `require` in the realm, `run(code)` evaluates an expression there. */
function createRealm() {
  const globals = GLOBALS.map((name) => [name, global[name]]);
  const context = vm.createContext({ ...Object.fromEntries(globals), performance });
  const modules = new Map();

  function load(file) {
    if (file.endsWith('.node')) return require(file);
    if (!modules.has(file)) {
      const module = { exports: {} };
      modules.set(file, module);
      evaluate(file, module);
    }
    return modules.get(file).exports;
  }

  function evaluate(file, module) {
    const text = fs.readFileSync(file, 'utf8');
    if (file.endsWith('.json')) {
      module.exports = context.JSON.parse(text);
      return;
    }
    const local = createRequire(file);
    const required = (id) => (isBuiltin(id) ? require(id) : load(local.resolve(id)));
    const names = ['module', 'exports', 'require', '__filename', '__dirname'];
    const run = vm.compileFunction(text, names, { filename: file, parsingContext: context });
    run(module, module.exports, Object.assign(required, local), file, path.dirname(file));
  }

  return { load, run: (code) => vm.runInContext(`(${code})`, context) };
}

const isBuiltin = (id) => id.startsWith('node:') || builtinModules.includes(id);

module.exports = { createRealm };
