//! What fuzz targets reach for, and nobody else: built with `--cfg fuzzing` alone.

#![allow(missing_docs, clippy::expect_used)] // A failure is a panic, which is what a fuzzer looks for.

use std::net::{IpAddr, Ipv4Addr};

use boltlink_core::Shortener;
use http::{HeaderMap, HeaderValue};

use crate::{
    api::Cursors,
    cli::import_anything,
    forwarded::{Proxies, ProxyHeader},
};

/// Takes the bytes for both headers, a line each.
pub fn forwarded(bytes: &[u8]) {
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    for (header, name) in [(ProxyHeader::XForwardedFor, "x-forwarded-for"), (ProxyHeader::Forwarded, "forwarded")] {
        let mut headers = HeaderMap::new();
        for line in bytes.split(|byte| *byte == b'\n') {
            headers.extend(HeaderValue::from_bytes(line).ok().map(|line| (http::HeaderName::from_static(name), line)));
        }
        let nobody = Proxies { trusted: Vec::new(), header };
        assert_eq!(nobody.client(peer, &headers), Some(peer), "nobody is believed");
        let proxies = Proxies {
            trusted: ["127.0.0.0/8", "10.0.0.0/8"].map(|net| net.parse().expect("a network")).into(),
            header,
        };
        // The nearest that is no proxy; a proxy only where nobody else is named.
        if let Some(client) = proxies.client(peer, &headers) {
            assert_eq!(client, client.to_canonical());
        }
    }
}

/// Presents the text as a cursor.
pub fn cursor(text: &str) {
    thread_local! {
        static CURSORS: Cursors = {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async { Cursors::new(&Shortener::builder().build().await.expect("a shortener")) })
        };
    }
    CURSORS.with(|cursors| assert!(cursors.open("list", text).is_err(), "{text}"));
}

/// Imports the bytes: the first says which format.
pub fn import(bytes: &[u8]) {
    import_anything(bytes);
}
