//! What was measured, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::store::Kind;
use crate::stat::percentile;

/// How long something took, often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) count: usize,
    pub(crate) p50: Duration,
    pub(crate) p95: Duration,
    pub(crate) most: Duration,
}

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |of_thousand| percentile(&times, of_thousand).unwrap_or_default();
        Self { count: times.len(), p50: at(500), p95: at(950), most: at(1000) }
    }

    fn json(self) -> Value {
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        json!({ "count": self.count, "p50_ms": ms(self.p50), "p95_ms": ms(self.p95), "max_ms": ms(self.most) })
    }
}

/// Links that were made for a while.
pub(crate) struct Made {
    pub(crate) links: u64,
    pub(crate) taken: Duration,
    pub(crate) requests: Times,
}

impl Made {
    fn per_second(&self) -> f64 {
        self.links as f64 / self.taken.as_secs_f64()
    }

    fn json(&self) -> Value {
        json!({ "links": self.links, "per_second": self.per_second().round(), "requests": self.requests.json() })
    }
}

/// All of one store.
pub(crate) struct Measured {
    pub(crate) kind: Kind,
    pub(crate) one_by_one: Made,
    pub(crate) bulk: Made,
    pub(crate) rows: Vec<(&'static str, u64)>,
    /// Of the database, in bytes.
    pub(crate) size: u64,
    pub(crate) start: Times,
    /// The server's memory after a start, and at most.
    pub(crate) idle: u64,
    pub(crate) peak: u64,
    /// What was asked, and how long the answers took.
    pub(crate) asked: Vec<(String, Times)>,
}

impl Measured {
    pub(crate) fn json(&self) -> Value {
        let asked = self.asked.iter().map(|(name, times)| (name.clone(), times.json()));
        let rows = self.rows.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows)));
        json!({
            "store": self.kind.name(),
            "created_one_by_one": self.one_by_one.json(),
            "created_in_bulk": self.bulk.json(),
            "rows": rows.collect::<serde_json::Map<_, _>>(),
            "database_bytes": self.size,
            "start": self.start.json(),
            "idle_memory_bytes": self.idle,
            "peak_memory_bytes": self.peak,
            "asked": asked.collect::<serde_json::Map<_, _>>(),
        })
    }
}

/// Stores side by side. They were asked the same.
pub(crate) fn print(all: &[Measured], binary: u64) {
    let line = |name: &str, of: &dyn Fn(&Measured) -> String| {
        let cells: String = all.iter().map(|measured| format!("{:>26}", of(measured))).collect();
        println!("{name:<48}{cells}");
    };
    let mb = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    println!();
    line("", &|measured| measured.kind.name().to_owned());
    line("links made a second, one by one", &|measured| format!("{:.0}", measured.one_by_one.per_second()));
    line("links made a second, in bulk", &|measured| format!("{:.0}", measured.bulk.per_second()));
    for at in 0..all.first().map_or(0, |first| first.rows.len()) {
        let rows = |measured: &Measured| measured.rows.get(at).map_or_else(String::new, |(_, rows)| rows.to_string());
        line(&format!("rows in {}", all[0].rows[at].0), &rows);
    }
    line("database", &|measured| mb(measured.size));
    line("memory of the server, idle", &|measured| mb(measured.idle));
    line("memory of the server, at most", &|measured| mb(measured.peak));
    println!("{:<48}{:>26}", "size of the binary", mb(binary));
    println!();
    line("milliseconds", &|_| "p50       p95".to_owned());
    let pair = |times: &Times| format!("{:.2} {:>9.2}", times.p50.as_secs_f64() * 1e3, times.p95.as_secs_f64() * 1e3);
    line("start until /health answers", &|measured| pair(&measured.start));
    for at in 0..all.first().map_or(0, |first| first.asked.len()) {
        let times = |measured: &Measured| measured.asked.get(at).map_or_else(String::new, |(_, times)| pair(times));
        line(&all[0].asked[at].0, &times);
    }
}
