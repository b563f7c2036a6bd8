//! Links made by the API, as fast as it goes.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use boltlink_testkit::{Connection, Server};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::measured::{Made, Times};
use crate::Result;

/// How many connections make links one by one, and how many in bulk.
const CONNECTIONS: usize = 16;
const IN_BULK: usize = 2;
/// How many links one request makes at most.
const BULK: usize = 1_000;

/// Who makes links: the operator, and a member with an account of its own.
pub(crate) struct Maker {
    address: SocketAddr,
    operator: String,
    /// The key of the member, who has made a link.
    pub(crate) member: String,
}

impl Maker {
    pub(crate) async fn new(server: &Server) -> Result<Self> {
        let (address, operator) = (server.address(), server.key().to_owned());
        let key = json!({ "name": "member", "scopes": ["links:read", "links:write"], "new_account": true });
        let made =
            request((address, &mut Connection::open(address).await?), &operator, "/api/v1/keys", &key, 201).await?;
        let member = made["token"].as_str().ok_or("a key without a token")?.to_owned();
        let link = json!({ "target": "https://member.example/" });
        request((address, &mut Connection::open(address).await?), &member, "/api/v1/links", &link, 201).await?;
        Ok(Self { address, operator, member })
    }

    /// Where the link leads that was made first of those on a connection, counted from 0.
    pub(crate) fn target(number: u64) -> String {
        target(0, number)
    }

    /// One link a request.
    pub(crate) async fn one_by_one(&self, time: Duration) -> Result<Made> {
        self.make(CONNECTIONS, time, 1, "/api/v1/links", |connection, number| {
            (json!({ "target": target(connection, number), "title": "Made one by one", "tags": ["made"] }), 201)
        })
        .await
    }

    /// As many as a request may make.
    pub(crate) async fn bulk(&self, time: Duration) -> Result<Made> {
        self.make(IN_BULK, time, BULK as u64, "/api/v1/links/bulk", |connection, number| {
            let link =
                |at| json!({ "target": format!("https://bulk.example/{connection}/{number}/{at}?utm_source=newsletter"), "tags": ["made"] });
            (json!({ "links": (0..BULK).map(link).collect::<Vec<_>>() }), 200)
        })
        .await
    }

    async fn make(
        &self,
        connections: usize,
        time: Duration,
        links: u64,
        path: &'static str,
        body: fn(usize, u64) -> (Value, u16),
    ) -> Result<Made> {
        let begin = Instant::now();
        let mut makers = JoinSet::new();
        for number in 0..connections {
            let (address, key) = (self.address, self.operator.clone());
            makers.spawn(async move {
                let mut connection = Connection::open(address).await?;
                let mut times = Vec::new();
                while begin.elapsed() < time {
                    let (body, status) = body(number, times.len() as u64);
                    let asked = Instant::now();
                    let answer = request((address, &mut connection), &key, path, &body, status).await?;
                    times.push(asked.elapsed());
                    let refused =
                        answer["results"].as_array().into_iter().flatten().any(|result| result["link"].is_null());
                    if refused {
                        return Err(format!("not all links were made: {answer}").into());
                    }
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(times)
            });
        }
        let mut times = Vec::new();
        while let Some(made) = makers.join_next().await {
            times.extend(made??);
        }
        let taken = begin.elapsed();
        Ok(Made { links: times.len() as u64 * links, taken, requests: Times::of(times) })
    }
}

fn target(connection: usize, number: u64) -> String {
    format!("https://made.example/{connection}/{number}?utm_source=newsletter")
}

/// Posts a body that must be answered with this status, and reads the answer.
pub(crate) async fn request(
    (host, connection): (SocketAddr, &mut Connection),
    key: &str,
    path: &str,
    body: &Value,
    status: u16,
) -> Result<Value> {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = connection.exchange(request.as_bytes()).await?;
    if answer.status != status {
        return Err(format!("{path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)).into());
    }
    Ok(serde_json::from_slice(&answer.body)?)
}
