// SPDX-License-Identifier: Apache-2.0
// tonic as a server of the bed, on tokio's threads.
use crate::wire::{code, kind_of, path, traces, Ask, Kind, Told};
use futures_util::future::try_join_all;
use futures_util::stream::{iter, unfold};
use futures_util::{Stream, StreamExt};
use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::service_fn;

type Answers = Pin<Box<dyn Stream<Item = Result<Told, Status>> + Send>>;

#[derive(Clone)]
struct Onward {
    next: Option<Channel>,
    parallel: bool,
}

impl Onward {
    async fn one(&self, n: u32, from: &str) -> Result<(), Status> {
        let id = format!("/l/{n}~{}", from.rsplit('/').next().unwrap_or(""));
        let mut client = tonic::client::Grpc::new(self.next.clone().expect("a next server"));
        client.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
        let ask = Ask { id: id.clone(), parent: from.into(), ..Default::default() };
        client.unary(Request::new(ask), path(&id), ProstCodec::<Ask, Told>::default()).await.map(|_| ())
    }

    async fn call(&self, from: &str) -> Result<(), Status> {
        if self.parallel {
            try_join_all((1..=3).map(|n| self.one(n, from))).await?;
            return Ok(());
        }
        for n in 1..=3 {
            self.one(n, from).await?;
        }
        Ok(())
    }
}

/// A call under way.
#[derive(Clone)]
struct Served {
    path: String,
    traces: Vec<String>,
    first: Ask,
    asked: u32,
}

impl Served {
    /// Notes the first message, waits as it says, calls onward for the paths that want it.
    async fn begin(path: String, traces: Vec<String>, first: Ask, onward: &Onward) -> Result<Served, Status> {
        if first.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(first.delay_ms.into())).await;
        }
        if path.starts_with("/h") {
            onward.call(&path).await?;
        }
        Ok(Served { path, traces, first, asked: 1 })
    }

    fn told(&self) -> Told {
        Told { id: self.path.clone(), asked: self.asked, traceparent: self.traces.clone(), payload: vec![0; self.first.size as usize] }
    }

    fn end(&self) -> Result<(), Status> {
        match self.first.status {
            0 => Ok(()),
            status => Err(Status::new(code(status), format!("asked for;{}", self.traces.join(",")))),
        }
    }
}

async fn unary(at: String, onward: Onward, request: Request<Ask>) -> Result<Response<Told>, Status> {
    let call = Served::begin(at, traces(request.metadata()), request.into_inner(), &onward).await?;
    call.end()?;
    Ok(Response::new(call.told()))
}

async fn collect(at: String, onward: Onward, request: Request<Streaming<Ask>>) -> Result<Response<Told>, Status> {
    let found = traces(request.metadata());
    let mut asks = request.into_inner();
    let first = asks.message().await?.unwrap_or_default();
    let mut call = Served::begin(at, found, first, &onward).await?;
    while asks.message().await?.is_some() {
        call.asked += 1;
    }
    call.end()?;
    Ok(Response::new(call.told()))
}

async fn spread(at: String, onward: Onward, request: Request<Ask>) -> Result<Response<Answers>, Status> {
    let call = Served::begin(at, traces(request.metadata()), request.into_inner(), &onward).await?;
    let mut out: Vec<Result<Told, Status>> = (0..call.first.answers).map(|_| Ok(call.told())).collect();
    out.extend(call.end().err().map(Err));
    Ok(Response::new(Box::pin(iter(out))))
}

async fn talk(at: String, onward: Onward, request: Request<Streaming<Ask>>) -> Result<Response<Answers>, Status> {
    let found = traces(request.metadata());
    let mut asks = request.into_inner();
    let first = asks.message().await?.unwrap_or_default();
    let call = Served::begin(at, found, first, &onward).await?;
    let told = call.told();
    let more = unfold(Some((asks, call)), |state| async {
        let (mut asks, mut call) = state?;
        match asks.message().await {
            Ok(Some(_)) => {
                call.asked += 1;
                Some((Ok(call.told()), Some((asks, call))))
            }
            Ok(None) => call.end().err().map(|status| (Err(status), None)),
            Err(status) => Some((Err(status), None)),
        }
    });
    Ok(Response::new(Box::pin(iter([Ok(told)]).chain(more))))
}

/// What generated code does for the methods of a service, for every path.
async fn answer(request: http::Request<axum::body::Body>, onward: Onward) -> Result<http::Response<tonic::body::Body>, Infallible> {
    let at = request.uri().path().to_string();
    let mut grpc = tonic::server::Grpc::new(ProstCodec::<Told, Ask>::default());
    Ok(match kind_of(&at) {
        Kind::Unary => grpc.unary(service_fn(move |r| unary(at.clone(), onward.clone(), r)), request).await,
        Kind::Collect => grpc.client_streaming(service_fn(move |r| collect(at.clone(), onward.clone(), r)), request).await,
        Kind::Spread => grpc.server_streaming(service_fn(move |r| spread(at.clone(), onward.clone(), r)), request).await,
        Kind::Talk => grpc.streaming(service_fn(move |r| talk(at.clone(), onward.clone(), r)), request).await,
    })
}

pub async fn serve(port: &str, next: &str, how: &str) {
    let next = match next {
        "0" => None,
        port => Some(Endpoint::try_from(format!("http://127.0.0.1:{port}")).expect("an address").connect().await.expect("the next server")),
    };
    let onward = Onward { next, parallel: how == "parallel" };
    let router = axum::Router::new().fallback_service(service_fn(move |request| answer(request, onward.clone())));
    let address = format!("127.0.0.1:{port}").parse().expect("an address");
    Server::builder().add_routes(router.into()).serve(address).await.expect("served");
}
