// SPDX-License-Identifier: Apache-2.0

//! axum and reqwest on tokio: each request /h/ID asks the next server for /l/ID/1, /l/ID/2 …  usage: tokio_hop PORT NEXT_PORT HOW
//!
//! sequence  three calls, one after the other
//! fresh     the same, a new connection each
//! join      three at once: tokio::join!
//! spawn     two tasks, then one call
//! joinset   three tasks of a JoinSet
//! sleep     a random wait before each call
//! pool      ten calls at a time in the whole program, two kept connections
//! select    join_all over 40 futures that wake each for itself, three of which call
//! detach    a task that nobody waits for; the handler waits for its message
//! workers   three jobs for four tasks that were there before
//! lazy      three jobs for tasks that requests have started, each while it lasts
//! kept      the same, and the request holds on to the tasks until it is answered
//! blocking  two calls by a plain socket in spawn_blocking
//! block-on  spawn_blocking that blocks on a call by the asynchronous client
//! current   as sequence, then two tasks; all on a runtime of one thread
//! later     one call; another when the answer has gone: for nobody
use axum::{extract::Path, extract::State, routing::get, Router};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, Mutex, Semaphore};

type Job = (String, oneshot::Sender<()>);

struct App {
    client: reqwest::Client,
    next: String,
    how: String,
    permits: Semaphore,
    jobs: mpsc::Sender<Job>,
    queue: Arc<Mutex<mpsc::Receiver<Job>>>,
}

impl App {
    async fn call(self: Arc<Self>, path: String) {
        let _permit = self.permits.acquire().await.unwrap();
        let response = self.client.get(format!("{}{}", self.next, path)).send().await.unwrap();
        response.bytes().await.unwrap();
    }

    async fn work(self: Arc<Self>) -> bool {
        let job = self.queue.lock().await.recv().await;
        let Some((path, done)) = job else { return false };
        self.call(path).await;
        let _ = done.send(());
        true
    }

    async fn hand_out(self: Arc<Self>, path: String) {
        let mut answers = Vec::new();
        for i in 1..=3 {
            let (done, answer) = oneshot::channel();
            self.jobs.send((format!("{path}/{i}"), done)).await.unwrap();
            answers.push(answer);
        }
        for answer in answers {
            answer.await.unwrap();
        }
    }
}

/// Some microseconds to five milliseconds.
async fn pause(path: &str) {
    let hash = path.bytes().fold(7u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
    tokio::time::sleep(Duration::from_micros(hash % 5000)).await;
}

/// Over a connection of its own, in blocking calls.
fn plain_call(server: &str, path: &str) {
    let mut stream = TcpStream::connect(server).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

async fn serve(app: Arc<App>, path: String) {
    let call = |i: u32| app.clone().call(format!("{path}/{i}"));
    match app.how.as_str() {
        "join" => {
            tokio::join!(call(1), call(2), call(3));
        }
        "spawn" => {
            let (first, second) = (tokio::spawn(call(1)), tokio::spawn(call(2)));
            first.await.unwrap();
            second.await.unwrap();
            call(3).await;
        }
        "joinset" => {
            let mut set = tokio::task::JoinSet::new();
            for i in 1..=3 {
                set.spawn(call(i));
            }
            while set.join_next().await.is_some() {}
        }
        "sleep" => {
            for i in 1..=3 {
                pause(&format!("{path}{i}")).await;
                call(i).await;
            }
        }
        "select" => {
            let each = (1..=40).map(|i| {
                let call = call(i);
                async move {
                    if i <= 3 {
                        call.await
                    }
                }
            });
            futures_util::future::join_all(each).await;
        }
        "detach" => {
            let (done, answer) = oneshot::channel();
            let call = call(1);
            tokio::spawn(async move {
                call.await;
                let _ = done.send(());
            });
            answer.await.unwrap();
        }
        "workers" => app.clone().hand_out(path).await,
        "lazy" => {
            (0..3).for_each(|_| drop(tokio::spawn(app.clone().work())));
            app.clone().hand_out(path).await;
        }
        "kept" => {
            let helpers: Vec<_> = (0..3).map(|_| tokio::spawn(app.clone().work())).collect();
            app.clone().hand_out(path).await;
            drop(helpers);
        }
        "blocking" => {
            let next = app.next.replace("http://", "");
            tokio::task::spawn_blocking(move || (1..=2).for_each(|i| plain_call(&next, &format!("{path}/{i}")))).await.unwrap();
        }
        "block-on" => {
            let call = call(1);
            let runtime = tokio::runtime::Handle::current();
            tokio::task::spawn_blocking(move || runtime.block_on(call)).await.unwrap();
        }
        "current" => {
            call(1).await;
            let (second, third) = (tokio::spawn(call(2)), tokio::spawn(call(3)));
            second.await.unwrap();
            third.await.unwrap();
        }
        "later" => {
            call(1).await;
            let app = app.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                app.call(format!("{}/1", path.replace("/l/", "/x/"))).await;
            });
        }
        _ => {
            for i in 1..=3 {
                call(i).await;
            }
        }
    }
}

async fn run(port: String, next: String, how: String) {
    let kept = match how.as_str() {
        "fresh" => 0,
        "pool" => 2,
        _ => 256,
    };
    let (jobs, queue) = mpsc::channel(64);
    let app = Arc::new(App {
        client: reqwest::Client::builder().no_proxy().pool_max_idle_per_host(kept).build().unwrap(),
        next: format!("http://127.0.0.1:{next}"),
        permits: Semaphore::new(if how == "pool" { 10 } else { 1 << 20 }),
        how,
        jobs,
        queue: Arc::new(Mutex::new(queue)),
    });
    if app.how == "workers" {
        for _ in 0..4 {
            let app = app.clone();
            tokio::spawn(async move { while app.clone().work().await {} });
        }
    }
    let routes = Router::new()
        .route(
            "/h/{*id}",
            get(|State(app): State<Arc<App>>, Path(id): Path<String>| async move {
                serve(app, format!("/l/{id}")).await;
                "done\n"
            }),
        )
        .with_state(app);
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.unwrap();
    axum::serve(listener, routes).await.unwrap();
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("usage: tokio_hop PORT NEXT_PORT HOW");
    let (port, following, how) = (next(), next(), next());
    let mut builder = if how == "current" {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    if how != "current" {
        builder.worker_threads(4);
    }
    builder.enable_all().build().unwrap().block_on(run(port, following, how));
}
