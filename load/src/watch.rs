//! What the server says of itself while it is loaded.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use boltlink_testkit::Client;

const INTERVAL: Duration = Duration::from_secs(1);

/// What a server uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Since the load began.
    pub(crate) at: Duration,
    pub(crate) memory: f64,
    pub(crate) files: f64,
    pub(crate) tasks: f64,
    pub(crate) threads: f64,
}

/// Asks once a second, until it is dropped.
pub(crate) struct Watch {
    samples: Arc<Mutex<Vec<Sample>>>,
    asking: tokio::task::JoinHandle<()>,
}

impl Watch {
    pub(crate) fn start(client: Client) -> Self {
        let samples = Arc::<Mutex<Vec<Sample>>>::default();
        let (kept, begin) = (samples.clone(), Instant::now());
        let asking = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(INTERVAL);
            loop {
                ticks.tick().await;
                // One that is being killed has nothing to say.
                let Ok(reply) = client.get("/metrics").await else { continue };
                if let Some(sample) = read(&reply.text, begin.elapsed()) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
                }
            }
        });
        Self { samples, asking }
    }

    pub(crate) fn samples(&self) -> Vec<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

fn read(text: &str, at: Duration) -> Option<Sample> {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line?.parse().ok()
    };
    Some(Sample {
        at,
        memory: value("process_resident_memory_bytes")?,
        files: value("process_open_fds")?,
        tasks: value("boltlink_tasks")?,
        threads: value("process_threads")?,
    })
}
