//! `boltlink status`

use std::{fmt::Write, process::ExitCode, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    failure::{Failure, print},
    scrape::{Between, Source},
};
use crate::config::Config;

/// Between the two looks by which rates are told.
const BETWEEN: Duration = Duration::from_secs(1);

const VISITS: (&str, [(&str, &str); 1]) = ("http_request_duration_seconds", [("route", "/{slug}")]);

pub(super) async fn run(config: &Config, as_json: bool) -> Result<ExitCode, Failure> {
    let source = Source::of(config);
    let (is_ready, ready) = source.ready().await?;
    let before = source.scrape().await?;
    tokio::time::sleep(BETWEEN).await;
    let now = source.scrape().await?;
    let mut status = figures(Between { before: &before, now: &now });
    status.insert("ready".into(), ready.parse().unwrap_or(Value::Null));
    print(&if as_json { format!("{:#}\n", Value::from(status)) } else { text(&status) })?;
    Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is told, by its name.
pub(super) fn figures(between: Between<'_>) -> Map<String, Value> {
    let now = between.now;
    let rate = |name: &str| json!(tenths(between.rate(name, &[])));
    let millis = |share| {
        let bound = between.quantile(share, VISITS.0, &VISITS.1);
        // What is beyond all bounds is as good as never.
        json!(bound.filter(|bound| *bound < Duration::MAX).map(|bound| bound.as_secs_f64() * 1e3))
    };
    let queue = |consumer: &str| {
        let labels = [("consumer", consumer)];
        json!({
            "batches": now.most("boltlink_queue_batches", &labels),
            "lag_seconds": now.most("boltlink_queue_lag_seconds", &labels),
            "dead_letters": now.most("boltlink_dead_letters", &labels),
        })
    };
    let (visits, loads) =
        (between.rate("boltlink_visits_total", &[]), between.rate("boltlink_links_loaded_total", &[]));
    let figures = json!({
        "visits_per_second": tenths(visits),
        "visits": now.by("boltlink_visits_total", "outcome"),
        "visits_within_ms": { "p50": millis(0.5), "p99": millis(0.99), "p999": millis(0.999) },
        "visits_cached": (visits > 0.0).then(|| (1.0 - loads / visits).max(0.0)),
        "links_cached": now.sum("boltlink_links_cached", &[]),
        "requests_per_second": tenths(between.rate("http_request_duration_seconds_count", &[])),
        "clicks_recorded_per_second": rate("boltlink_clicks_recorded_total"),
        "clicks_lost": now.sum("boltlink_clicks_lost_total", &[]),
        "clicks_unacknowledged": now.sum("boltlink_clicks_unacknowledged_total", &[]),
        "batches_undelivered": now.sum("boltlink_batches_undelivered", &[]),
        "journal_bytes": now.sum("boltlink_journal_bytes", &[]),
        "totals": queue("totals"),
        "analytics": queue("analytics"),
        "memory_bytes": now.most("process_resident_memory_bytes", &[]),
        "cpu": tenths(between.rate("process_cpu_seconds_total", &[]) * 10.0) / 10.0,
        "open_files": now.most("process_open_fds", &[]),
    });
    match figures {
        Value::Object(figures) => figures,
        _ => Map::new(),
    }
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// A line for each.
pub(super) fn text(figures: &Map<String, Value>) -> String {
    let mut text = String::new();
    let one = |value: &Value| match value {
        Value::Null => "unknown".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    for (name, value) in figures {
        // Writing to a String cannot fail.
        let _ = match value {
            Value::Object(parts) => {
                let parts: Vec<_> = parts.iter().map(|(part, value)| format!("{part} {}", one(value))).collect();
                writeln!(text, "{name:<28} {}", parts.join(", "))
            }
            value => writeln!(text, "{name:<28} {}", one(value)),
        };
    }
    text
}
