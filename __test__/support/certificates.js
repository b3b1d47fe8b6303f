'use strict';

/** Certificates for the tests of TLS, created by the `openssl` of this machine: CAs, and certificates signed by them. */

const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');

const DAY = 24 * 60 * 60 * 1000;

/** As `openssl ca` takes times. */
const time = (ms) => new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '');

/** Makes certificates below `folder`, which has to be there. */
function certificates(folder) {
  const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const read = (name) => fs.readFileSync(path.join(folder, name), 'utf8');
  const write = (name, text) => fs.writeFileSync(path.join(folder, name), text);

  function key(name) {
    const kind = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    openssl('genpkey', ...kind, '-out', `${name}.key`);
  }

  const of = (name) => ({
    cert: read(`${name}.crt`),
    key: read(`${name}.key`),
    files: { cert: path.join(folder, `${name}.crt`), key: path.join(folder, `${name}.key`) },
  });

  /** A CA. `sign(name, {hosts, from, days, use})` makes a certificate of it. */
  function authority(name) {
    key(name);
    const subject = ['-subj', `/CN=${name}`];
    openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      `${name}.key`,
      '-days',
      '2',
      ...subject,
      '-out',
      `${name}.crt`,
    );
    write(`${name}.index`, '');
    write(
      `${name}.conf`,
      [
        '[ca]',
        'default_ca = this',
        '[this]',
        'new_certs_dir = .',
        `database = ${name}.index`,
        'rand_serial = yes',
        'default_md = sha256',
        'policy = any',
        'unique_subject = no',
        '[any]',
        'commonName = supplied',
      ].join('\n'),
    );
    /** `hosts` as in a subjectAltName: `DNS:…`, `IP:…`; valid `from` … `days`, both in days from now. */
    function sign(leaf, { hosts, from = -9, days = 2, use = 'serverAuth' } = {}) {
      key(leaf);
      openssl('req', '-new', '-key', `${leaf}.key`, '-subj', `/CN=${leaf}`, '-out', `${leaf}.csr`);
      const lines = ['basicConstraints = CA:FALSE', `extendedKeyUsage = ${use}`];
      const names = hosts ? [`subjectAltName = ${hosts.join(',')}`] : [];
      write(`${leaf}.ext`, [...lines, ...names].join('\n'));
      const now = Date.now();
      const times = ['-startdate', time(now + from * DAY), '-enddate', time(now + days * DAY)];
      const files = ['-in', `${leaf}.csr`, '-out', `${leaf}.crt`, '-extfile', `${leaf}.ext`];
      const by = ['-config', `${name}.conf`, '-cert', `${name}.crt`, '-keyfile', `${name}.key`];
      openssl('ca', '-batch', '-notext', ...by, ...times, ...files);
      return of(leaf);
    }
    return { ...of(name), file: path.join(folder, `${name}.crt`), sign };
  }

  return { authority };
}

module.exports = { certificates };
