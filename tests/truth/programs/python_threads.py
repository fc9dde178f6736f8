# SPDX-License-Identifier: Apache-2.0
"""A thread per connection: each request /h/ID asks the next server for /l/ID. usage: python_threads.py PORT NEXT_PORT fresh|pooled|plain [CERTIFICATE KEY]: then over TLS, both ways (plain: only where it serves)"""
import http.client
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, following, how, *files = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
local = threading.local()
idle, lock = [], threading.Lock()  # connections that any thread may take


def connection():
    if how == "pooled":
        with lock:
            if idle:
                return idle.pop()
    if files and how != "plain":
        return http.client.HTTPSConnection("127.0.0.1", following, context=client)
    return http.client.HTTPConnection("127.0.0.1", following)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        upstream = connection()
        upstream.request("GET", self.path.replace("/h/", "/l/", 1))
        body = upstream.getresponse().read()
        if how == "pooled":
            with lock:
                idle.append(upstream)
        else:
            upstream.close()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


server = Server(("127.0.0.1", port), Handler)
if files:
    client = ssl.create_default_context(cafile=files[0])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
