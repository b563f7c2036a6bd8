//! What a test sees of a server that does not start. That it starts is tested with the server.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

use boltlink_testkit::Server;

#[tokio::test]
async fn a_program_that_ends_is_shown_with_what_it_wrote() {
    // Any program that says something and ends will do; cargo is there wherever tests are.
    let error = Server::builder(env!("CARGO")).arg("--version").start().await.err().unwrap();
    let text = format!("{error:?}");
    assert!(text.contains("ended before it was ready"), "{text}");
    assert!(text.contains("cargo 1."), "{text}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let error = Server::builder("no/such/boltlink").start().await.err().unwrap();
    assert!(error.to_string().contains("no/such/boltlink does not start"), "{error}");
}
