# SPDX-License-Identifier: Apache-2.0
"""http.server with threads, HTTP/1.1, any method, bodies with a length or in chunks. Usage: python_http_app.py PORT [HOST [CERTIFICATE KEY]]"""
import os
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dynamic import answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one send

    def serve(self):
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self.rfile.read(size + 2)
            while self.rfile.readline().strip():
                pass
        else:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body = answer(self.path.split("?")[0])
        self.send_response(status)
        self.send_header("X-Pid", str(os.getpid()))
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = serve

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    address_family = socket.AF_INET6 if ":" in (sys.argv[2] if len(sys.argv) > 2 else "") else socket.AF_INET


if __name__ == "__main__":
    server = Server((sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1", int(sys.argv[1])), Handler)
    if len(sys.argv) > 3:
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[3:5])
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)  # each thread its own
    server.serve_forever()
