// SPDX-License-Identifier: Apache-2.0
// Node's http module with a fixed answer; /count says how many requests it has served, itself included. Usage: node node_server.js PORT
'use strict';
let served = 0;
const server = require('http').createServer((req, res) => {
  served++;
  const body = req.url === '/count' ? `${served}\n` : 'ok\n';
  res.setHeader('Content-Length', body.length);
  res.end(body);
});
server.keepAliveTimeout = 60000;
server.listen(+process.argv[2], '127.0.0.1');
