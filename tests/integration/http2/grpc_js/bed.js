// SPDX-License-Identifier: Apache-2.0
// @grpc/grpc-js as a server and as a client of the bed; ../README.md says what they do.
// usage: bed.js serve PORT NEXT_PORT HOW | bed.js call PORT CONCURRENCY < PLAN
'use strict';
const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const proto = loader.loadSync(path.join(__dirname, '..', 'bed.proto'), { keepCase: true, defaults: true });
const service = grpc.loadPackageDefinition(proto).bed.Bed.service;
const KINDS = Object.fromEntries(Object.entries(service).map(([name, definition]) => [name.toLowerCase(), definition]));
const insecure = grpc.credentials.createInsecure();

/** /bed.Bed/Talk and /l.talk/ID are talks, /l/ID is unary. */
function kindOf(at) {
  const [, name, method] = at.split('/');
  return name === 'bed.Bed' ? method.toLowerCase() : name.split('.')[1] || 'unary';
}

/** Without fields that are zero or empty, which this library would write. */
function filled(message) {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value && value.length !== 0));
}

class Served {
  constructor(at, metadata, ask) {
    Object.assign(this, { at, ask, asked: 1, traces: metadata.get('traceparent') });
  }
  told() {
    return filled({ id: this.at, asked: this.asked, traceparent: this.traces, payload: Buffer.alloc(this.ask.size) });
  }
  /** null, or the status that was asked for. */
  end() {
    return this.ask.status === 0 ? null : { code: this.ask.status, details: 'asked for;' + this.traces.join(',') };
  }
}

function invoke(client, at, ask) {
  const { requestSerialize, responseDeserialize } = KINDS.unary;
  return new Promise((resolve, reject) =>
    client.makeUnaryRequest(at, requestSerialize, responseDeserialize, ask, (error, told) => (error ? reject(error) : resolve(told))));
}

/** The four handlers, for one path. */
function handlers(at, next, how) {
  async function begin(metadata, ask) {
    if (ask.delay_ms) await new Promise((resolve) => setTimeout(resolve, ask.delay_ms));
    if (at.startsWith('/h')) {
      const onward = [1, 2, 3].map((n) => `/l/${n}~${at.split('/')[2]}`).map((id) => () => invoke(next, id, { id, parent: at }));
      if (how === 'parallel') await Promise.all(onward.map((one) => one()));
      else for (const one of onward) await one();
    }
    return new Served(at, metadata, ask);
  }
  // events, not `for await`, which on such a stream would wait until the other direction has ended, too
  const each = (stream, answer) => new Promise((resolve, reject) => {
    let call = null, turn = Promise.resolve();
    stream.on('data', (ask) => {
      turn = turn.then(async () => {
        if (call) call.asked++;
        else call = await begin(stream.metadata, ask);
        answer(call);
      });
    });
    const nothing = { code: grpc.status.CANCELLED, details: 'nothing was asked' };
    stream.on('end', () => turn.then(() => (call ? resolve(call) : reject(nothing)), reject));
  });
  return {
    unary: (call, done) => begin(call.metadata, call.request).then((c) => done(c.end(), c.told()), done),
    collect: (stream, done) => each(stream, () => {}).then((c) => done(c.end(), c.told()), done),
    spread: async (stream) => {
      const c = await begin(stream.metadata, stream.request);
      for (let i = 0; i < c.ask.answers; i++) stream.write(c.told());
      if (c.end()) stream.emit('error', c.end());
      else stream.end();
    },
    talk: (stream) =>
      each(stream, (c) => stream.write(c.told())).then((c) => (c.end() ? stream.emit('error', c.end()) : stream.end()), (e) => stream.emit('error', e)),
  };
}

const TYPES = { unary: 'unary', collect: 'clientStream', spread: 'serverStream', talk: 'bidi' };

/** A table of handlers that has every path. */
class AnyPath extends Map {
  constructor(next, how) {
    super();
    Object.assign(this, { next, how });
  }
  get(at) {
    const kind = kindOf(at);
    return { func: handlers(at, this.next, this.how)[kind], serialize: KINDS[kind].responseSerialize, deserialize: KINDS[kind].requestDeserialize,
             type: TYPES[kind], path: at };
  }
}

function serve(port, nextPort, how) {
  const next = nextPort === '0' ? null : new grpc.Client(`127.0.0.1:${nextPort}`, insecure);
  if (next) next.getChannel().getConnectivityState(true); // one connection, before the first call
  const server = new grpc.Server();
  server.handlers = new AnyPath(next, how);
  server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => { if (error) throw error; });
}

function parse(line) {
  const [at, ...more] = line.split(' ');
  const [send, answers, size, code, delay, deadline, cancel] = more.map(Number);
  return { at, send, answers, size, code, delay, deadline, cancel, metadata: more[7] };
}

const now = () => process.hrtime.bigint() + clockOffset;
const clockOffset = BigInt(Date.now()) * 1000000n - process.hrtime.bigint();

/** Makes the call of a wish; resolves to the fields of its outcome. */
function one(client, wish) {
  const kind = kindOf(wish.at), { requestStream, responseStream, requestSerialize, responseDeserialize } = KINDS[kind];
  const o = { sent: 0, received: 0, traces: [], trouble: '' };
  const metadata = new grpc.Metadata();
  if (wish.metadata !== '-') wish.metadata.split(',').forEach((pair) => metadata.add(pair.split('=')[0], pair.slice(pair.indexOf('=') + 1)));
  const options = wish.deadline ? { deadline: Date.now() + wish.deadline } : {};
  const ask = filled({ id: wish.at, answers: wish.answers, size: wish.size, status: wish.code, delay_ms: wish.delay, payload: Buffer.alloc(wish.size) });
  return new Promise((resolve) => {
    const take = (told) => {
      o.received++;
      if (told.id !== wish.at || told.payload.length !== wish.size) o.trouble = `answer-of-${told.id}`;
      o.traces = told.traceparent;
      if (kind === 'talk') say();
    };
    const ended = (status) => {
      const found = /;(.+)/.exec(status.details || '');
      if (found) o.traces = found[1].split(',');
      resolve({ code: status.code, ...o });
    };
    const say = () => {
      if (o.sent === wish.send) return call.end();
      o.sent++;
      call.write(ask);
    };
    const answered = (error, told) => { if (told) take(told); };
    const make = { unary: 'makeUnaryRequest', collect: 'makeClientStreamRequest', spread: 'makeServerStreamRequest', talk: 'makeBidiStreamRequest' }[kind];
    const call = client[make](wish.at, requestSerialize, responseDeserialize, ...(requestStream ? [] : [ask]), metadata, options,
                              ...(responseStream ? [] : [answered]));
    if (wish.cancel) setTimeout(() => call.cancel(), wish.cancel);
    if (responseStream) call.on('data', take).on('error', () => {});
    call.on('status', ended);
    if (kind === 'talk') return say();
    o.sent = wish.send;
    if (requestStream) {
      for (let i = 0; i < wish.send; i++) call.write(ask);
      call.end();
    }
  });
}

async function callAll(port, concurrency) {
  const wishes = fs.readFileSync(0, 'utf8').trim().split('\n').map(parse);
  const client = new grpc.Client(`127.0.0.1:${port}`, insecure);
  const lines = [];
  await Promise.all([...Array(concurrency).keys()].map(async (worker) => {
    for (let i = worker; i < wishes.length; i += concurrency) {
      const start = now(), o = await one(client, wishes[i]);
      lines[i] = [i, o.code, o.sent, o.received, start, now(), o.traces.join(','), o.trouble].join('\t') + '\n';
    }
  }));
  fs.writeSync(1, lines.join(''));
  client.close();
}

if (process.argv[2] === 'serve') serve(...process.argv.slice(3));
else callAll(process.argv[3], Number(process.argv[4]));
