# SPDX-License-Identifier: Apache-2.0
"""Flask with a fixed answer; /count says how many requests it has served, itself included."""
import itertools

from flask import Flask

app = Flask(__name__)
served = itertools.count(1)


@app.route("/")
def serve():
    next(served)
    return "ok\n"


@app.route("/count")
def count():
    return f"{next(served)}\n"
