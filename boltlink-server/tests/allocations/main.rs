//! What redirects of a cached link allocate over a socket, in the whole process; and what hyper allocates that answers with a
//! constant one.

#![allow(clippy::unwrap_used)] // In helpers too: this is all test.

mod batches;
mod browsers;
mod constant;

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use boltlink_core::{Actor, JournalConfig, NewLink, Shortener, SystemClock, TargetRules, TargetUrl, memory::MemoryLog};
use boltlink_server::ServerOptions;
use boltlink_store_sqlite::{SqliteConfig, SqliteStore};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::oneshot,
};

use self::{batches::CountedLog, browsers::Browsers};

/// Counts what all threads allocate.
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Where redirects lead.
const TARGET: &str = "https://www.example.com/articles/2026/11/000000?utm_source=newsletter&utm_medium=email";
/// How often each browser follows the link, before and while allocations are counted.
const WARM_UP: u64 = 200;
const ROUNDS: u64 = 1_000;
const REDIRECTS: u64 = ROUNDS * browsers::COUNT as u64;

/// What becomes of clicks later allocates for all of them together: for each batch, which has those that came within two
/// milliseconds and 512 at most (today 25, of which 15 are its bytes growing), and for each second, at the end of
/// which what was added up is stored. That is more than there is, as batches that come one by one cost some more.
const OF_BATCH: u64 = 40;
const OF_SECOND: u64 = 1_000;

/// What hyper allocates for a request and its answer, today: the least that we are compared with.
const OF_HYPER: u64 = 7;

/// What was allocated, and what else happened meanwhile.
#[derive(Debug)]
struct Measured {
    allocations: u64,
    time: Duration,
    batches: u64,
}

/// One test, as allocations are the process's.
#[test]
fn a_redirect_allocates_nothing_and_a_constant_one_of_hyper_does() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let ours = redirects();
    let hyper = constant_redirects();
    println!("{REDIRECTS} redirects, ours: {ours:?}, hyper's: {hyper:?}");
    let later = ours.batches * OF_BATCH + (ours.time.as_secs() + 1) * OF_SECOND;
    assert!(ours.allocations <= later, "a redirect allocates: {REDIRECTS} did so {ours:?}");
    assert!(hyper.allocations >= REDIRECTS * OF_HYPER, "hyper has become better: {hyper:?}");
}

/// Ours, whose clicks are recorded, go through the log and are added up meanwhile.
fn redirects() -> Measured {
    let runtime = runtime();
    let dir = tempfile::tempdir().unwrap();
    let (store, log) = runtime.block_on(open(dir.path()));
    let stores = store.stores(log.clone());
    let builder = Shortener::builder().stores(stores).journal(JournalConfig::new(dir.path().join("journal")));
    let shortener = runtime.block_on(builder.build()).unwrap();
    let target = TargetUrl::parse(TARGET, &TargetRules::default()).unwrap();
    let link = NewLink { slug: Some("b000000".parse().unwrap()), ..NewLink::to(target) };
    let link = runtime.block_on(shortener.create(&Actor::OPERATOR, link)).unwrap().link.id;
    let (address, listener) = listen(&runtime);
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async { _ = stopped.await };
    let server = boltlink_server::run(listener, shortener.clone(), ServerOptions::default(), stopped);
    let server = runtime.spawn(server);

    let measured = measure(address, || log.batches.load(Ordering::Relaxed));

    stop.send(()).unwrap();
    runtime.block_on(server).unwrap().unwrap();
    runtime.block_on(shortener.shutdown());
    let link = runtime.block_on(shortener.find(&Actor::OPERATOR, link)).unwrap();
    assert_eq!(link.clicks, WARM_UP * browsers::COUNT as u64 + REDIRECTS);
    measured
}

/// A database, as the server has it if nothing else is said, but for rows of single clicks: of these there are so many a second,
/// however many redirects.
async fn open(dir: &Path) -> (SqliteStore, Arc<CountedLog>) {
    let clock = Arc::new(SystemClock);
    let mut config = SqliteConfig::new(dir.join("boltlink.db"));
    config.raw_clicks.per_second = 0;
    let store = SqliteStore::open(&config, clock.clone()).await.unwrap();
    (store, Arc::new(CountedLog::new(Arc::new(MemoryLog::new(clock, MemoryLog::DEFAULT_CAPACITY)))))
}

/// The same answer by hyper, which knows no other and counts nothing.
fn constant_redirects() -> Measured {
    let runtime = runtime();
    let (address, listener) = listen(&runtime);
    runtime.spawn(constant::serve(listener, TARGET));
    measure(address, || 0)
}

/// One thread for all connections; what is slow has threads of its own.
fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn listen(runtime: &Runtime) -> (SocketAddr, TcpListener) {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    (listener.local_addr().unwrap(), listener)
}

fn measure(address: SocketAddr, batches: impl Fn() -> u64) -> Measured {
    let mut browsers = Browsers::connect(address, TARGET);
    browsers.follow(WARM_UP);
    let (begin, before, had) = (Instant::now(), dhat::HeapStats::get().total_blocks, batches());
    browsers.follow(ROUNDS);
    let (after, has) = (dhat::HeapStats::get().total_blocks, batches());
    Measured { allocations: after - before, time: begin.elapsed(), batches: has - had }
}
