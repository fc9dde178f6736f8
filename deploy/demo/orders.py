# SPDX-License-Identifier: Apache-2.0
# The demo's Flask application: an order asks the price service, then the stock service.
import os

import flask
import requests

app = flask.Flask(__name__)
prices = os.environ["PRICES"]
stock = os.environ["STOCK"]
session = requests.Session()


@app.get("/order/<item>")
def order(item):
    price = session.get(f"{prices}/price/{item}", timeout=5)
    if price.status_code != 200:
        return {"error": f"no such item: {item}"}, 404
    left = session.get(f"{stock}/stock/{item}", timeout=5)
    return {"item": item, "price": price.json()["price"], "in_stock": left.json()["in_stock"]}
