'use strict';

// The package: what pomelo's app.use takes, class GlobalChannel, the plugin for pinus, and the push scheduler.

const path = require('path');

const { registerAdmin } = require('./lib/admin/register');
const GlobalChannel = require('./lib/globalChannel');
const component = require('./lib/components/globalChannel');
const FanOutPushScheduler = require('./lib/fanOut/scheduler');

/** Makes what pinus's app.use takes: a new one at each call, because pinus refuses the same object twice. */
function createPinusPlugin() {
  return {
    name: 'globalChannel',
    components: [
      // pinus calls it with `new` and with the options of all plugins.
      function (app, opts) {
        return component(app, (opts && opts.globalChannel) || {}, opts);
      },
    ],
  };
}

// `components` stays the only enumerable property, as in 0.0.7.
const folder = path.join(__dirname, 'lib', 'components') + path.sep;
const plugin = { components: folder };

Object.defineProperties(plugin, {
  GlobalChannel: { value: GlobalChannel },
  createPinusPlugin: { value: createPinusPlugin },
  FanOutPushScheduler: { value: FanOutPushScheduler },
  registerAdmin: { value: registerAdmin },
  // pomelo does not read it, but pinus does, after it took the folder's name for a list of
  // components and loaded each letter.
  name: {
    get() {
      throw new Error(
        'this is the plugin for pomelo; in pinus write app.use(createPinusPlugin(), {globalChannel: {…}})',
      );
    },
  },
});

module.exports = plugin;

// For `import {GlobalChannel} from …`: Node finds the names of a CommonJS module by reading it. `components: folder` is no
// shorthand because bundlers (ncc) write the path in the place of the variable.
0 &&
  (module.exports = {
    components: folder,
    GlobalChannel,
    createPinusPlugin,
    FanOutPushScheduler,
    registerAdmin,
  });
