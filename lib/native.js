'use strict';

// Loads the compiled addon; without one for this machine, throws an error that says how to build it. binding.js, which
// `napi build` generates, chooses the file.

const BUILT_FOR =
  'linux x64/arm64 (glibc and musl), macOS x64/arm64, Windows x64; elsewhere build it from source';

function load() {
  try {
    return require('../binding.js');
  } catch (cause) {
    const platform = `${process.platform}-${process.arch}`;
    const error = new Error(
      `pome-globalchannel-plugin has no compiled addon for ${platform} (Node ${process.version}). ` +
        `Released packages carry it for ${BUILT_FOR}: install Rust and a C compiler and run 'npm run build' ` +
        `in the folder of the package. What went wrong: ${cause.message}`,
    );
    error.cause = cause;
    throw error;
  }
}

module.exports = load();
