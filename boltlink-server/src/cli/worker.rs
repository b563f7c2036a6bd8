//! `boltlink worker`

use std::{process::ExitCode, time::Duration};

use boltlink_core::{Clock, Shortener, SystemClock, store::Consumer};
use boltlink_server::ServerOptions;
use clap::ValueEnum;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{
    engine,
    failure::Failure,
    serve,
    stop::{Signals, force_exit_after},
    telemetry::Telemetry,
};
use crate::config::Config;

/// How often it says how far it has got.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// What a worker does.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    /// Adds clicks to the totals of their links.
    Aggregator,
    /// Keeps statistics by time and origin, and single clicks.
    Analytics,
}

pub(super) async fn run(config: &Config, kind: Kind, telemetry: Telemetry) -> Result<ExitCode, Failure> {
    let consumer = match kind {
        Kind::Aggregator => Consumer::Totals,
        Kind::Analytics => Consumer::Analytics,
    };
    let mut stop = Signals::listen()?;
    let admin = serve::bind_admin(config).await?;
    let opened = engine::open_to_work(config, consumer, &telemetry).await?;
    if let Some(listener) = admin {
        let options = ServerOptions { metrics: telemetry.metrics.clone(), ..ServerOptions::default() };
        let serving = boltlink_server::run_admin(listener, opened.shortener.clone(), options);
        // It ends with the program.
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "operators are told nothing any more");
            }
        });
    }
    tracing::info!(worker = ?kind, "working");
    tokio::select! {
        () = stop.stop() => {}
        never = report(&opened.shortener, consumer) => match never {},
    }
    tracing::info!("stopping");
    force_exit_after(Duration::ZERO);
    opened.close().await;
    telemetry.end().await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Says from time to time what was stored and what waits.
async fn report(shortener: &Shortener, consumer: Consumer) -> std::convert::Infallible {
    let mut ticks = interval_at(Instant::now() + REPORT_INTERVAL, REPORT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = 0;
    loop {
        ticks.tick().await;
        let counters = shortener.counters();
        let stored = match consumer {
            Consumer::Totals => counters.clicks_in_totals,
            Consumer::Analytics => counters.clicks_in_analytics,
        };
        let clicks = stored - std::mem::replace(&mut before, stored);
        match shortener.backlog(consumer).await {
            Ok(waiting) => {
                let lag = waiting.oldest.map_or(Duration::ZERO, |oldest| SystemClock.now().since(oldest));
                let lag_ms = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
                tracing::info!(clicks, waiting_batches = waiting.batches, lag_ms, "progress");
            }
            Err(error) => tracing::warn!(clicks, %error, "cannot tell what waits"),
        }
    }
}
