# SPDX-License-Identifier: Apache-2.0
"""Flask: each request /h/ID asks the server at NEXT_PORT for /l/ID."""
import http.client
import os

from flask import Flask

app = Flask(__name__)


@app.route("/h/<path:path>")
def hop(path):
    upstream = http.client.HTTPConnection("127.0.0.1", int(os.environ["NEXT_PORT"]))
    upstream.request("GET", "/l/" + path)
    body = upstream.getresponse().read()
    upstream.close()
    return body
