// SPDX-License-Identifier: Apache-2.0
// Node's http2 without TLS, as a server and as a client of the bed; ../README.md says what they do.
// usage: http2.js serve PORT NEXT_PORT HOW | http2.js call PORT CONCURRENCY < PLAN
'use strict';
const fs = require('fs');
const http2 = require('http2');

/** Sends a request; resolves to its response's headers and size, status 0 if it was given up. */
function ask(session, headers, body, limit) {
  return new Promise((resolve) => {
    const stream = session.request(headers, { endStream: !body });
    let answer = { ':status': 0 }, size = 0, timer = null;
    stream.on('response', (found) => { answer = found; });
    stream.on('data', (piece) => { size += piece.length; });
    stream.on('error', () => {});
    stream.on('close', () => {
      clearTimeout(timer);
      resolve({ answer, size });
    });
    if (body) stream.end(body);
    if (limit) timer = setTimeout(() => { answer = { ':status': 0 }; stream.close(http2.constants.NGHTTP2_CANCEL); }, limit);
  });
}

function serve(port, nextPort, how) {
  const next = nextPort === '0' ? null : http2.connect(`http://127.0.0.1:${nextPort}`);
  const server = http2.createServer({ maxSessionMemory: 1000 });
  server.on('stream', async (stream, headers) => {
    stream.on('error', () => {});
    for await (const _ of stream);
    const path = headers[':path'];
    if (headers['x-delay']) await new Promise((resolve) => setTimeout(resolve, Number(headers['x-delay'])));
    if (path.startsWith('/h/')) {
      const calls = [1, 2, 3].map((n) => () => ask(next, { ':path': `/l/${n}~${path.split('/')[2]}`, 'x-parent': path }));
      if (how === 'parallel') await Promise.all(calls.map((one) => one()));
      else for (const one of calls) await one();
    }
    if (stream.destroyed) return;
    const status = /\/s(\d{3})$/.exec(path), size = /\/b(\d+)/.exec(path), traces = headers.traceparent || '';
    stream.respond({ ':status': status ? Number(status[1]) : 200, 'x-id': path, 'x-traceparent': String(traces) });
    stream.end(Buffer.alloc(size ? Number(size[1]) : 0));
  });
  server.listen(Number(port), '127.0.0.1');
}

const clockOffset = BigInt(Date.now()) * 1000000n - process.hrtime.bigint();
const now = () => process.hrtime.bigint() + clockOffset;

async function callAll(port, concurrency) {
  const plan = fs.readFileSync(0, 'utf8').trim().split('\n');
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const lines = [];
  await Promise.all([...Array(concurrency).keys()].map(async (worker) => {
    for (let i = worker; i < plan.length; i += concurrency) {
      const [path, send, , size, , delay, deadline, cancel, metadata] = plan[i].split(' ').map((field, at) => (at === 0 || at === 8 ? field : Number(field)));
      const headers = { ':path': path, ':method': send ? 'POST' : 'GET' };
      if (delay) headers['x-delay'] = String(delay);
      if (metadata !== '-') for (const pair of metadata.split(',')) headers[pair.split('=')[0]] = pair.slice(pair.indexOf('=') + 1);
      const start = now(), { answer, size: got } = await ask(session, headers, send ? Buffer.alloc(send * size) : null, deadline || cancel);
      const trouble = answer['x-id'] && answer['x-id'] !== path ? `answer-of-${answer['x-id']}` : '';
      lines[i] = [i, answer[':status'], send * size, got, start, now(), answer['x-traceparent'] || '', trouble].join('\t') + '\n';
    }
  }));
  fs.writeSync(1, lines.join(''));
  session.close();
}

if (process.argv[2] === 'serve') serve(...process.argv.slice(3));
else callAll(process.argv[3], Number(process.argv[4]));
