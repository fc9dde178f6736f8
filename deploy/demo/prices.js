// SPDX-License-Identifier: Apache-2.0
// The demo's Express application: a price is a list price times a rate that the stock service knows.
'use strict';
const express = require('express');

const list = { tea: 4, coffee: 6, cocoa: 5 };
const app = express();

app.get('/price/:item', async (request, response) => {
  const base = list[request.params.item];
  if (base === undefined) return response.status(404).json({ error: 'unknown item' });
  const rate = await fetch(`${process.env.STOCK}/rate/${request.params.item}`);
  response.json({ price: base * (await rate.json()).rate });
});

app.listen(Number(process.env.PORT), '127.0.0.1');
