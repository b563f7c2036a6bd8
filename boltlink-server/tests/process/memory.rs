//! What the server asks of the kernel.

use std::fs;

use crate::server;

#[tokio::test(flavor = "multi_thread")]
async fn no_visit_waits_for_a_huge_page() {
    let server = server().start().await.unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let told = status.lines().find(|line| line.starts_with("THP_enabled:"));
    assert!(told.is_some_and(|line| line.ends_with('0')), "{told:?}");
}
