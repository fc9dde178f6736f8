# SPDX-License-Identifier: Apache-2.0
"""gevent's WSGI server, a greenlet per connection: each request /h/ID asks the next server for /l/ID/1. usage: gevent_hop.py PORT NEXT_PORT"""
from gevent import monkey

monkey.patch_all()

import contextvars  # noqa: E402
import http.client  # noqa: E402
import sys  # noqa: E402

from gevent import sleep, spawn  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402

port, following = int(sys.argv[1]), int(sys.argv[2])
current = contextvars.ContextVar("current")


def ask(path):
    sleep(0.001)
    upstream = http.client.HTTPConnection("127.0.0.1", following)
    upstream.request("GET", path)
    body = upstream.getresponse().read()
    upstream.close()
    return body


def application(environ, start_response):
    current.set(environ["PATH_INFO"])
    body = spawn(ask, current.get().replace("/h/", "/l/", 1) + "/1").get()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


WSGIServer(("127.0.0.1", port), application, log=None, backlog=1024).serve_forever()
