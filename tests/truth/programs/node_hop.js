// SPDX-License-Identifier: Apache-2.0
// Node: each request /h/ID asks the next server for /l/ID, at once or after a timer. usage: node_hop.js PORT NEXT_PORT sequence|timer
'use strict';
const http = require('http');
const [port, next, how] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });

function hop(request, response) {
  http.get({ port: Number(next), host: '127.0.0.1', agent, path: request.url.replace('/h/', '/l/') }, (answer) => {
    const parts = [];
    answer.on('data', (part) => parts.push(part));
    answer.on('end', () => response.end(Buffer.concat(parts)));
  }).on('error', () => { response.statusCode = 502; response.end(); });
}

http.createServer((request, response) => {
  if (how === 'timer') setTimeout(hop, Math.random() * 5, request, response);
  else hop(request, response);
}).listen(Number(port), '127.0.0.1', 512);
