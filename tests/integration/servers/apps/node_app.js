// SPDX-License-Identifier: Apache-2.0
// Node's http module or Express, answering by the contract of dynamic.py; with a certificate over https. Usage: node node_app.js http|express PORT [CERTIFICATE KEY]
'use strict';
const [kind, port, certificate, key] = process.argv.slice(2);
const fs = require('fs');
function answer(path) {
  const status = /\/s(\d{3})/.exec(path), size = /\/b(\d+)/.exec(path);
  return [status ? +status[1] : 200, size ? Buffer.alloc(+size[1], 'x') : Buffer.from('ok')];
}
function serve(req, res) {
  req.resume();
  req.on('end', () => {
    const [status, body] = answer(req.url.split('?')[0]);
    res.statusCode = status;
    res.setHeader('X-Pid', process.pid);
    if (status === 204) return res.end();
    // Every third answer has a length, the others are chunked: Node does both.
    if (body.length % 3 === 0) res.setHeader('Content-Length', body.length);
    else if (body.length > 10) { res.write(body.subarray(0, 7)); return res.end(req.method === 'HEAD' ? undefined : body.subarray(7)); }
    res.end(body);
  });
}
if (kind === 'express') {
  const app = require('express')();
  app.disable('x-powered-by');
  app.use((req, res) => serve(req, res));
  app.listen(+port, '127.0.0.1');
} else {
  const options = certificate ? { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) } : {};
  const server = require(certificate ? 'https' : 'http').createServer(options, serve);
  server.keepAliveTimeout = 60000;
  server.listen(+port, '127.0.0.1');
}
