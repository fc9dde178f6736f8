// SPDX-License-Identifier: Apache-2.0
// tonic as a client of the bed: a task for each call that is under way at a time.
use crate::wire::{kind_of, path, Ask, Kind, Told};
use futures_util::future::join_all;
use futures_util::stream::{iter, unfold};
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Semaphore;
use tonic::metadata::{Ascii, MetadataKey};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

/// A line of the plan.
#[derive(Clone)]
struct Wish {
    path: String,
    numbers: Vec<u32>, // messages, answers, size, code, delay, deadline, cancel
    metadata: String,
}

impl Wish {
    fn parse(line: &str) -> Wish {
        let fields: Vec<&str> = line.split(' ').collect();
        let numbers = fields[1..8].iter().map(|f| f.parse().expect("a number")).collect();
        Wish { path: fields[0].into(), numbers, metadata: fields[8].into() }
    }

    fn ask(&self) -> Ask {
        let n = &self.numbers;
        Ask { id: self.path.clone(), answers: n[1], size: n[2], status: n[3], delay_ms: n[4], payload: vec![0; n[2] as usize], ..Default::default() }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut out = Request::new(message);
        if self.numbers[5] > 0 {
            out.set_timeout(Duration::from_millis(self.numbers[5].into()));
        }
        for pair in self.metadata.split(',').filter(|_| self.metadata != "-") {
            let (key, value) = pair.split_once('=').expect("key=value");
            let key: MetadataKey<Ascii> = key.parse().expect("a key");
            out.metadata_mut().append(key, value.parse().expect("a value"));
        }
        out
    }
}

/// What has been seen of a call. `turn`: of a talk, the next message only after an answer.
#[derive(Default)]
struct Outcome {
    sent: Arc<std::sync::atomic::AtomicU32>,
    received: u32,
    traces: Vec<String>,
    trouble: String,
}

impl Outcome {
    fn take(&mut self, told: Told, wish: &Wish) {
        self.received += 1;
        if told.id != wish.path || told.payload.len() != wish.numbers[2] as usize {
            self.trouble = format!("answer-of-{}", told.id);
        }
        self.traces = told.traceparent;
    }
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos()
}

async fn call(channel: Channel, wish: &Wish, outcome: &mut Outcome) -> Result<(), Status> {
    use std::sync::atomic::Ordering::Relaxed;
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
    let (at, codec, send) = (path(&wish.path), ProstCodec::<Ask, Told>::default(), wish.numbers[0]);
    match kind_of(&wish.path) {
        Kind::Unary => {
            outcome.sent.store(1, Relaxed);
            let told = grpc.unary(wish.request(wish.ask()), at, codec).await?;
            outcome.take(told.into_inner(), wish);
        }
        Kind::Collect => {
            outcome.sent.store(send, Relaxed);
            let asks = iter(vec![wish.ask(); send as usize]);
            let told = grpc.client_streaming(wish.request(asks), at, codec).await?;
            outcome.take(told.into_inner(), wish);
        }
        Kind::Spread => {
            outcome.sent.store(1, Relaxed);
            let mut answers = grpc.server_streaming(wish.request(wish.ask()), at, codec).await?.into_inner();
            while let Some(told) = answers.message().await? {
                outcome.take(told, wish);
            }
        }
        Kind::Talk => {
            let turn = Arc::new(Semaphore::new(1));
            let (ask, sent) = (wish.ask(), outcome.sent.clone());
            let asks = unfold(turn.clone(), move |turn| {
                let (ask, sent) = (ask.clone(), sent.clone());
                async move {
                    if sent.load(Relaxed) == send {
                        return None;
                    }
                    turn.acquire().await.ok()?.forget();
                    sent.fetch_add(1, Relaxed);
                    Some((ask, turn))
                }
            });
            let mut answers = grpc.streaming(wish.request(asks), at, codec).await?.into_inner();
            while let Some(told) = answers.message().await? {
                outcome.take(told, wish);
                turn.add_permits(1);
            }
        }
    }
    Ok(())
}

async fn line(channel: Channel, index: usize, wish: Wish) -> String {
    let (start, mut outcome) = (now(), Outcome::default());
    let cancel = wish.numbers[6];
    let limit = Duration::from_millis(if cancel > 0 { cancel.into() } else { 3_600_000 });
    let result = tokio::time::timeout(limit, call(channel, &wish, &mut outcome)).await;
    let status = match result {
        Ok(Ok(())) => Status::ok(""),
        Ok(Err(status)) => status,
        Err(_) => Status::cancelled("as planned"), // the call was dropped
    };
    if let Some((_, found)) = status.message().split_once(';').filter(|(_, found)| !found.is_empty()) {
        outcome.traces = vec![found.into()];
    }
    let sent = outcome.sent.load(std::sync::atomic::Ordering::Relaxed);
    format!("{index}\t{}\t{sent}\t{}\t{start}\t{}\t{}\t{}\n", status.code() as i32, outcome.received, now(), outcome.traces.join(","), outcome.trouble)
}

pub async fn call_all(port: &str, concurrency: usize) {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("a plan");
    let wishes: Arc<Vec<Wish>> = Arc::new(text.lines().map(Wish::parse).collect());
    let channel = Endpoint::try_from(format!("http://127.0.0.1:{port}")).expect("an address").connect().await.expect("the server");
    let workers = (0..concurrency).map(|first| {
        let (wishes, channel) = (wishes.clone(), channel.clone());
        tokio::spawn(async move {
            let mut out = String::new();
            for index in (first..wishes.len()).step_by(concurrency) {
                out += &line(channel.clone(), index, wishes[index].clone()).await;
            }
            out
        })
    });
    for out in join_all(workers).await {
        print!("{}", out.expect("a worker"));
    }
}
