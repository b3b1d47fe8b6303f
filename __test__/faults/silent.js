'use strict';

/**
 * An address of this machine at which connecting is not answered, as behind a firewall that drops packets: a stopped process
 * whose backlog is full (Linux then ignores a SYN).
 */

const { spawn } = require('child_process');
const { once } = require('events');
const net = require('net');

const LISTENER = `
  const [host, port] = process.argv.slice(1);
  require('net').createServer().listen({ host, port, backlog: 1 }, () => console.log('ready'));
  process.stdin.resume().on('end', () => process.exit());
`;
const FILLERS = 8;

/** Whether a connection to `host:port` is accepted within this time. */
function connects(socket, ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, false);
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

/** Silent from now on, until `close()`. */
async function silent(host, port) {
  const child = spawn(process.execPath, ['-e', LISTENER, host, String(port)]);
  const fillers = [];
  const close = async () => {
    for (const socket of fillers) socket.destroy();
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  try {
    await once(child.stdout, 'data');
    child.kill('SIGSTOP');
    for (let i = 0; i < FILLERS; i += 1) {
      const socket = net.connect(port, host).on('error', () => {});
      fillers.push(socket);
      if (!(await connects(socket, 300))) return { close };
    }
    throw new Error(`${host}:${port} is not silent`);
  } catch (err) {
    await close();
    throw err;
  }
}

module.exports = { silent };
