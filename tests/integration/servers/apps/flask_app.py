# SPDX-License-Identifier: Apache-2.0
"""A Flask application for gunicorn that answers by the contract of dynamic.py."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from dynamic import answer  # noqa: E402
from flask import Flask, Response, request  # noqa: E402

app = Flask(__name__)


@app.route("/", defaults={"path": ""}, methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
@app.route("/<path:path>", methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
def serve(path):
    request.get_data()
    status, body = answer("/" + path)
    return Response(body, status, {"X-Pid": str(os.getpid())})
