// SPDX-License-Identifier: Apache-2.0
// Node: each request /h/ID asks the next server for /l/1~ID, /l/2~ID, … usage: node_calls.js PORT NEXT_PORT HOW [HOST [CERTIFICATE KEY]] (then over TLS, both ways), by how:
// await: one after the other; all: two at once, twice; pool: await with ten connections; timer, timer-pool: await with sleeps between them;
// work, work-pool: with the thread pool's work between; immediate-pool; fetch, fetch-all, fetch-pool, timer-fetch, work-fetch, immediate-fetch: by fetch; chain: only the first call.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const [port, next, how, host, certificate, key] = process.argv.slice(2);
const http = require(certificate ? 'https' : 'http');
const tls = certificate ? { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) } : {};
const agent = new http.Agent({ ca: tls.cert, keepAlive: true, maxSockets: how.includes('pool') ? 10 : Infinity });

function call(path) {
  if (how.includes('fetch')) return fetch(`http://${host || '127.0.0.1'}:${next}${path}`).then((answer) => answer.text());
  return new Promise((done, failed) => {
    http.get({ port: Number(next), host: host || '127.0.0.1', agent, path }, (answer) => {
      answer.resume();
      answer.on('end', done);
    }).on('error', failed);
  });
}

const between = {
  timer: () => new Promise((done) => setTimeout(done, Math.random() * 5)),
  work: () => (Math.random() < 0.5 ? fs.promises.readFile('/etc/hostname') : new Promise((done) => crypto.randomBytes(64, done))),
  immediate: () => new Promise((done) => setImmediate(done)),
}[how.split('-')[0]];

async function answer(id) {
  const path = (n) => `/l/${n}~${id}`;
  if (how === 'all' || how === 'fetch-all') {
    await Promise.all([call(path(1)), call(path(2))]);
    await Promise.all([call(path(3)), call(path(4))]);
    return;
  }
  for (let n = 1; n <= (how === 'chain' ? 1 : 4); n++) {
    if (between && n > 1) await between();
    await call(path(n));
  }
}

// The class of the runtime's own undici; it is there when it has been used.
async function limit() {
  if (how !== 'fetch-pool') return;
  await fetch('data:,');
  const dispatcher = Symbol.for('undici.globalDispatcher.1');
  globalThis[dispatcher] = new globalThis[dispatcher].constructor({ connections: 10 });
}

limit().then(() => http.createServer(tls, (request, response) => {
  answer(request.url.slice('/h/'.length)).then(() => response.end('done'), () => { response.statusCode = 502; response.end(); });
}).listen(Number(port), '127.0.0.1', 512));
