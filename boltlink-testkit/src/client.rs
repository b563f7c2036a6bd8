//! A client of the API.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use reqwest::{Method, RequestBuilder, header::HeaderMap, redirect::Policy};
use serde_json::Value;

use crate::error::Error;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Talks to a server with an API key, and follows no redirect.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: SocketAddr,
    key: String,
}

impl Client {
    /// A client of the server at `address`. An empty `key` is not sent.
    ///
    /// # Panics
    /// If the operating system lacks what an HTTP client needs.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test can do nothing about it, and every caller would unwrap")]
    pub fn new(address: SocketAddr, key: impl Into<String>) -> Self {
        // A proxy in the developer's environment has no business here.
        let builder = reqwest::Client::builder().redirect(Policy::none()).no_proxy().timeout(TIMEOUT);
        Self { http: builder.build().expect("a client without TLS"), address, key: key.into() }
    }

    /// A request with the key, to be completed and handed to [`Client::send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("http://{}{path}", self.address));
        if self.key.is_empty() { request } else { request.bearer_auth(&self.key) }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// If no complete answer comes. A refusal by the server is an answer.
    pub async fn send(&self, request: RequestBuilder) -> Result<Reply, Error> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Ok(Reply { status, headers, text: response.text().await? })
    }

    /// Creates a link of these fields.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn create(&self, link: &Value) -> Result<Reply, Error> {
        self.send(self.request(Method::POST, "/api/v1/links").json(link)).await
    }

    /// Reads a link.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn link(&self, id: &str) -> Result<Reply, Error> {
        self.get(&format!("/api/v1/links/{id}")).await
    }

    /// Reads a link's statistics.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn stats(&self, id: &str) -> Result<Reply, Error> {
        self.get(&format!("/api/v1/links/{id}/stats")).await
    }

    /// The clicks of a link, as the link says.
    ///
    /// # Errors
    /// If there is no such link.
    pub async fn clicks(&self, id: &str) -> Result<u64, Error> {
        let link = self.link(id).await?.expect(200)?;
        link["clicks"].as_u64().ok_or_else(|| Error::new(format!("no clicks in {link}")))
    }

    /// All clicks by the rollups, of today and yesterday (a test may run across midnight).
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn rolled_up(&self) -> Result<u64, Error> {
        let global = self.get("/api/v1/analytics/global").await?.expect(200)?;
        global["clicks"].as_u64().ok_or_else(|| Error::new(format!("no clicks in {global}")))
    }

    /// The clicks of every link, as the list of links has them, by slug: of one domain, that is.
    ///
    /// # Errors
    /// As [`Client::send`]; if a page is none.
    pub async fn clicks_by_slug(&self) -> Result<HashMap<String, u64>, Error> {
        let (mut clicks, mut cursor) = (HashMap::new(), String::new());
        loop {
            let page = self.get(&format!("/api/v1/links?limit=500{cursor}")).await?.expect(200)?;
            for link in page["items"].as_array().into_iter().flatten() {
                let counted = link["slug"].as_str().map(str::to_owned).zip(link["clicks"].as_u64());
                clicks.extend([counted.ok_or_else(|| Error::new(format!("no slug and clicks in {link}")))?]);
            }
            let Some(next) = page["next_cursor"].as_str() else { return Ok(clicks) };
            cursor = format!("&cursor={next}");
        }
    }

    /// Makes a link that must be made, and returns its id.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn make(&self, link: &Value) -> Result<String, Error> {
        let made = self.create(link).await?.expect(201)?;
        made["id"].as_str().map(str::to_owned).ok_or_else(|| Error::new(format!("no id in {made}")))
    }

    /// Gets any path: an operation of the API, or a short link.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn get(&self, path: &str) -> Result<Reply, Error> {
        self.send(self.request(Method::GET, path)).await
    }
}

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl Reply {
    /// A header's text, if the answer has it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON, of an answer that must have `status`; `null` if there is none.
    ///
    /// # Errors
    /// If the status is another, or the body no JSON; with the whole answer.
    pub fn expect(&self, status: u16) -> Result<Value, Error> {
        if self.status != status {
            return Err(Error::new(format!("expected {status}, got {}: {}", self.status, self.text)));
        }
        if self.text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&self.text).map_err(|error| Error::new(format!("{error} in {}", self.text)))
    }
}
