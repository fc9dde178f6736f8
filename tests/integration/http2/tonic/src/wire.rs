// SPDX-License-Identifier: Apache-2.0
// The messages of ../../bed.proto, and what a path says.
use std::str::FromStr;
use tonic::metadata::MetadataMap;
use tonic::Code;

#[derive(Clone, PartialEq, prost::Message)]
pub struct Ask {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub parent: String,
    #[prost(uint32, tag = "3")]
    pub answers: u32,
    #[prost(uint32, tag = "4")]
    pub size: u32,
    #[prost(uint32, tag = "5")]
    pub status: u32,
    #[prost(uint32, tag = "6")]
    pub delay_ms: u32,
    #[prost(bytes = "vec", tag = "7")]
    pub payload: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Told {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(uint32, tag = "2")]
    pub asked: u32,
    #[prost(string, repeated, tag = "3")]
    pub traceparent: Vec<String>,
    #[prost(bytes = "vec", tag = "4")]
    pub payload: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Unary,
    Collect,
    Spread,
    Talk,
}

/// /bed.Bed/Talk and /l.talk/ID are talks, /l/ID is unary.
pub fn kind_of(path: &str) -> Kind {
    let mut parts = path.split('/').skip(1);
    let (service, method) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let word = if service == "bed.Bed" { method.to_lowercase() } else { service.split('.').nth(1).unwrap_or("").to_string() };
    match word.as_str() {
        "collect" => Kind::Collect,
        "spread" => Kind::Spread,
        "talk" => Kind::Talk,
        _ => Kind::Unary,
    }
}

pub fn path(text: &str) -> http::uri::PathAndQuery {
    http::uri::PathAndQuery::from_str(text).expect("a path")
}

pub fn traces(metadata: &MetadataMap) -> Vec<String> {
    metadata.get_all("traceparent").iter().filter_map(|v| v.to_str().ok().map(String::from)).collect()
}

pub fn code(number: u32) -> Code {
    Code::from(number as i32)
}
