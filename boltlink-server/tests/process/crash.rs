//! `kill -9` under load: what may be lost, and what never.

use boltlink_testkit::Load;

use crate::{nodes::example, server};

/// Kills and restarts the server under load, `rounds` times, and says what was answered with a
/// redirect, what was sent, and what was counted.
async fn survive(durability: &str, rounds: u32) -> Counts {
    let mut server = server().env("BOLTLINK_DURABILITY", durability).start().await.unwrap();
    let client = server.client();
    let ids = [client.make(&example("one")).await.unwrap(), client.make(&example("two")).await.unwrap()];
    let (mut answered, mut sent) = (0, 0);
    for round in 0..rounds {
        let load =
            Load::new(server.address(), ["/one", "/two"]).connections(16).header("Referer", "https://a.example/");
        let running = load.start();
        // Another moment of the server's life in every round: in the first group, between flushes, later.
        running.answers(20 + u64::from(round) * 137).await.unwrap();
        server.kill().unwrap();
        let tally = running.stop().await;
        answered += tally.answered_with(302);
        sent += tally.sent();
        assert_eq!(tally.answered(), tally.answered_with(302), "nothing but redirects");
        server.restart().await.unwrap();
    }
    // A clean stop stores everything that was recovered.
    server.stop().await.unwrap();
    server.restart().await.unwrap();
    let client = server.client();
    let (mut counted, rollups) = (0, client.rolled_up().await.unwrap());
    for id in ids {
        counted += client.clicks(&id).await.unwrap();
    }
    Counts { answered, sent, counted, rollups }
}

#[derive(Debug)]
struct Counts {
    answered: u64,
    sent: u64,
    counted: u64,
    rollups: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn buffered_loses_one_group_per_buffer_at_most() {
    let rounds = 10;
    let counts = survive("buffered", rounds).await;
    let buffers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let bearable = u64::from(rounds) * buffers * 512;
    assert!(counts.counted + bearable >= counts.answered, "{counts:?}");
    assert!(counts.counted <= counts.sent, "{counts:?}");
    assert_eq!(counts.counted, counts.rollups, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_loses_no_answered_click() {
    let counts = survive("acknowledged", 10).await;
    assert!(counts.answered <= counts.counted, "{counts:?}");
    assert!(counts.counted <= counts.sent, "{counts:?}");
    assert_eq!(counts.counted, counts.rollups, "{counts:?}");
}
