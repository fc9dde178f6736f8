// SPDX-License-Identifier: Apache-2.0
// Node's fetch, undici's request, or http.request; writes the truth like load.cc. Usage: node node_client.js fetch|undici|http PORT REQUESTS CONCURRENCY [CA, as NODE_EXTRA_CA_CERTS: then over TLS]
'use strict';
const [kind, port, requests, concurrency] = process.argv.slice(2, 6).map((v, i) => (i ? +v : v));
const base = process.argv[6] ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
const now = () => BigInt(Date.now()) * 1000000n;
const http = require(process.argv[6] ? 'https' : 'http');
const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency });

const calls = {
  async fetch(url, method, body) {
    const response = await fetch(url, { method, body });
    return [response.status, (await response.arrayBuffer()).byteLength];
  },
  async undici(url, method, body) {
    const response = await require('undici').request(url, { method, body });
    return [response.statusCode, (await response.body.arrayBuffer()).byteLength];
  },
  http(url, method, body) {
    return new Promise((resolve, reject) => {
      const request = http.request(url, { method, agent, headers: body ? { 'Content-Length': body.length } : {} }, (response) => {
        let size = 0;
        response.on('data', (part) => { size += part.length; });
        response.on('end', () => resolve([response.statusCode, size]));
      });
      request.on('error', reject);
      request.end(body);
    });
  },
};

async function work(first) {
  for (let id = first; id < requests; id += concurrency) {
    const body = id % 4 === 1 ? Buffer.alloc(1 + (id % 900), 'p') : undefined;
    const method = body ? 'POST' : 'GET';
    const path = `/node/${id}/s${id % 4 === 3 ? 404 : 200}/b${(id * 37) % 4000}`;
    const start = now();  // whole milliseconds, rounded down
    const [status, size] = await calls[kind](`${base}${path}?token=hush`, method, body);
    process.stdout.write(`${method}\t${path}\t${status}\t${body ? body.length : 0}\t${size}\t${start}\t${now() + 1000000n}\t0\t0\t-\n`);
  }
}
(async () => {
  await Promise.all(Array.from({ length: concurrency }, (_, n) => work(n)));
  agent.destroy();
})();
