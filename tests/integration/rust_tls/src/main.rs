// SPDX-License-Identifier: Apache-2.0

//! HTTP/1.1 over TLS by native-tls (OpenSSL, shared) or rustls: axum as the server, reqwest as the client, which writes the truth like load.cc.
//! usage: rust_tls server native|rustls PORT CERTIFICATE KEY
//!        rust_tls client native|rustls PORT REQUESTS WORKERS CERTIFICATE
use axum::body::Body;
use axum::http::{Request, Response};
use axum::serve::Listener;
use axum::Router;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

#[derive(Clone)]
enum Acceptor {
    Native(tokio_native_tls::TlsAcceptor),
    Rustls(tokio_rustls::TlsAcceptor),
}

impl Acceptor {
    fn new(library: &str, certificate: &str, key: &str) -> Self {
        if library == "native" {
            let read = |path| std::fs::read(path).unwrap();
            let identity = native_tls::Identity::from_pkcs8(&read(certificate), &read(key)).unwrap();
            return Acceptor::Native(native_tls::TlsAcceptor::new(identity).unwrap().into());
        }
        let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        Acceptor::Rustls(Arc::new(config).into())
    }

    async fn accept(self, stream: TcpStream) -> Option<Box<dyn Stream>> {
        match self {
            Acceptor::Native(acceptor) => Some(Box::new(acceptor.accept(stream).await.ok()?)),
            Acceptor::Rustls(acceptor) => Some(Box::new(acceptor.accept(stream).await.ok()?)),
        }
    }
}

/// Connections whose handshake is done.
struct Accepted(mpsc::Receiver<(Box<dyn Stream>, SocketAddr)>, SocketAddr);

impl Listener for Accepted {
    type Io = Box<dyn Stream>;
    type Addr = SocketAddr;
    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        self.0.recv().await.unwrap()
    }
    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.1)
    }
}

/// "/…/s404/b100" asks for that status and so many bytes.
async fn answer(request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let wanted = |letter| path.split('/').filter_map(|part| part.strip_prefix(letter)?.parse::<usize>().ok()).last();
    let status = wanted('s').unwrap_or(200) as u16;
    let body = "x".repeat(wanted('b').unwrap_or(2));
    Response::builder().status(status).header("X-Pid", std::process::id()).body(Body::from(body)).unwrap()
}

async fn serve(acceptor: Acceptor, port: &str) {
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ready, accepted) = mpsc::channel(64);
    tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            let (acceptor, ready) = (acceptor.clone(), ready.clone());
            tokio::spawn(async move {
                if let Some(stream) = acceptor.accept(stream).await {
                    ready.send((stream, peer)).await.unwrap();
                }
            });
        }
    });
    axum::serve(Accepted(accepted, address), Router::new().fallback(answer)).await.unwrap();
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

async fn fetch(client: &reqwest::Client, port: &str, id: usize) {
    let (method, sent) = if id % 4 == 1 { ("POST", 1 + id % 900) } else { ("GET", 0) };
    let status = if id % 4 == 3 { 404 } else { 200 };
    let path = format!("/rust/{id}/s{status}/b{}", id * 37 % 4000);
    let url = format!("https://localhost:{port}{path}?token=hush");
    let start = now();
    let request = if sent == 0 { client.get(url) } else { client.post(url).body(vec![b'p'; sent]) };
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let got = response.bytes().await.unwrap().len();
    println!("{method}\t{path}\t{status}\t{sent}\t{got}\t{start}\t{}\t0\t0\t-", now());
}

async fn ask(library: &str, port: &str, requests: usize, workers: usize, certificate: &str) {
    let root = reqwest::Certificate::from_pem(&std::fs::read(certificate).unwrap()).unwrap();
    let builder = reqwest::Client::builder().no_proxy().add_root_certificate(root);
    // Whoever signs for itself is no authority to rustls.
    let builder = if library == "native" { builder.use_native_tls() } else { builder.use_rustls_tls().danger_accept_invalid_certs(true) };
    let client = builder.build().unwrap();
    let tasks: Vec<_> = (0..workers)
        .map(|first| {
            let (client, port) = (client.clone(), port.to_owned());
            tokio::spawn(async move {
                for id in (first..requests).step_by(workers) {
                    fetch(&client, &port, id).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::main(worker_threads = 4)]
async fn main() {
    let all: Vec<String> = std::env::args().skip(1).collect();
    match all.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server", library, port, certificate, key] => serve(Acceptor::new(library, certificate, key), port).await,
        ["client", library, port, requests, workers, certificate] => {
            ask(library, port, requests.parse().unwrap(), workers.parse().unwrap(), certificate).await
        }
        _ => panic!("usage: rust_tls server|client native|rustls PORT …"),
    }
}
