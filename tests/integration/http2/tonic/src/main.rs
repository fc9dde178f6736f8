// SPDX-License-Identifier: Apache-2.0
// tonic as a server and as a client of the bed; ../../README.md says what they do.
// usage: tonic_bed serve PORT NEXT_PORT HOW | tonic_bed call PORT CONCURRENCY < PLAN
mod client;
mod server;
mod wire;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "serve", port, next, how] => server::serve(port, next, how).await,
        [_, "call", port, concurrency] => client::call_all(port, concurrency.parse().expect("a number")).await,
        _ => eprintln!("usage: tonic_bed serve PORT NEXT_PORT HOW | tonic_bed call PORT CONCURRENCY < PLAN"),
    }
}
