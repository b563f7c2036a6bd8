//! A typed client of BoltLink's HTTP API, generated from the server's own document while it is built.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let client = boltlink_client::connect("http://127.0.0.1:5000", "blt_…")?;
//! let page = client.list_links().send().await?;
//! for link in &page.items {
//!     println!("{} leads to {}", link.short_url, link.target);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Every operation is a method of [`Client`]. A refusal is an [`Error::ErrorResponse`] with the
//! [`Problem`](types::Problem) that the server tells.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

pub use generated::*;

#[allow(missing_docs, reason = "what the document does not describe, the generator cannot")]
mod generated {

    progenitor::generate_api!(
        spec = { path = "openapi.json", relative_to = OutDir },
        // An operation that gets another parameter, or a type another field, breaks no caller.
        interface = Builder,
    );
}

/// A client of the server at `url` that calls with `key`.
///
/// # Errors
/// If `key` is no header value, or the operating system lacks what an HTTP client needs.
pub fn connect(url: &str, key: &str) -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {key}"))?;
    bearer.set_sensitive(true);
    let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
    let http = reqwest::Client::builder().default_headers(headers).timeout(Duration::from_secs(15)).build()?;
    Ok(Client::new_with_client(url.trim_end_matches('/'), http))
}
