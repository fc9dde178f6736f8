// SPDX-License-Identifier: Apache-2.0
// Node's http module with a fixed answer; /count says how many requests it has served, itself included. Usage: node node_server.js PORT [TLS_PORT CERTIFICATE KEY]
'use strict';
let served = 0;
const [port, tlsPort, certificate, key] = process.argv.slice(2);
function answer(req, res) {
  served++;
  const body = req.url === '/count' ? `${served}\n` : 'ok\n';
  res.setHeader('Content-Length', body.length);
  res.end(body);
}
function listen(server, at) {
  server.keepAliveTimeout = 60000;
  server.listen(+at, '127.0.0.1');
}
listen(require('http').createServer(answer), port);
if (tlsPort) {
  const { readFileSync } = require('fs');
  listen(require('https').createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, answer), tlsPort);
}
