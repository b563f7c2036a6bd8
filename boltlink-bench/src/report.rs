//! What was measured, for people and for programs.

use std::{fmt, time::Duration};

use serde_json::{Value, json};

use crate::{
    backend::Used,
    latency::{self, Latencies, Waits},
    stat::{spread, told},
};

/// One turn of one server.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    pub(crate) requests: u64,
    /// How long the load lasted.
    pub(crate) taken: Duration,
    /// What the server used meanwhile.
    pub(crate) loaded: Duration,
    /// What it used until every click was stored.
    pub(crate) cpu: Duration,
    /// What all that it stands on used until then.
    pub(crate) backend: Used,
}

impl Sample {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.taken.as_secs_f64()
    }

    /// What this is for each request, in microseconds.
    fn each(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.requests as f64
    }

    fn cpu_per_request(&self) -> f64 {
        self.each(self.cpu)
    }

    fn json(&self) -> Value {
        json!({
            "requests": self.requests,
            "seconds": self.taken.as_secs_f64(),
            "server_cpu_microseconds_per_request": {
                "under_load": self.each(self.loaded),
                "until_stored": self.cpu_per_request(),
            },
        })
    }

    /// Of the server and all that it stands on.
    fn whole_per_request(&self) -> f64 {
        self.each(self.cpu + self.backend.sum())
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (loaded, all) = (self.each(self.loaded), self.cpu_per_request());
        write!(f, "{:>8.0} requests/s {loaded:>6.2} µs under load {all:>6.2} µs until stored", self.per_second())?;
        let Used { redis, workers, postgres } = self.backend;
        if self.backend.sum().is_zero() {
            return Ok(());
        }
        let [redis, workers, postgres] = [redis, workers, postgres].map(|used| self.each(used));
        write!(f, "; Redis {redis:.2}, workers {workers:.2}, Postgres {postgres:.2} µs")
    }
}

/// All turns of one server.
pub(crate) struct Row {
    pub(crate) name: String,
    /// When nothing was cached.
    pub(crate) first: Sample,
    pub(crate) samples: Vec<Sample>,
    /// At half the load, or another rate.
    pub(crate) waits: Waits,
    /// At its peak, in bytes.
    pub(crate) memory: u64,
}

impl Row {
    fn median(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        spread(self.samples.iter().map(of).collect())[0]
    }

    /// Requests per second, and microseconds of CPU for a first visit, a later one, and one with all that the server
    /// stands on.
    fn medians(&self) -> [f64; 4] {
        let first = self.first.cpu_per_request();
        let (cpu, whole) = (self.median(Sample::cpu_per_request), self.median(Sample::whole_per_request));
        [self.median(Sample::per_second), first, cpu, whole]
    }

    /// How many times what a redirect costs here the first row's costs, round by round: its median, least and most.
    fn ratio_to(&self, first: &Self) -> [f64; 3] {
        let pairs = first.samples.iter().zip(&self.samples);
        spread(pairs.map(|(first, own)| first.cpu_per_request() / own.cpu_per_request()).collect())
    }
}

pub(crate) fn print(rows: &[Row]) {
    println!(
        "\n{:<40} {:>10} {:>11} {:>11} {:>11} {:>22} {:>11}",
        "", "requests/s", "first visit", "CPU/request", "in all", "hyper's ÷ its CPU", "peak memory"
    );
    for row in rows {
        let [per_second, first, cpu, whole] = row.medians();
        let [ratio, least, most] = row.ratio_to(&rows[0]);
        let memory = row.memory as f64 / 1e6;
        let ratio = format!("{ratio:.2} ({least:.2}–{most:.2})");
        println!(
            "{:<40} {per_second:>10.0} {first:>8.2} µs {cpu:>8.2} µs {whole:>8.2} µs {ratio:>22} {memory:>8.1} MB",
            row.name
        );
    }
}

/// How long answers took at some rate: half the load, unless it was said.
pub(crate) fn print_latencies(rows: &[Row]) {
    let all = |of: fn(&Waits) -> &Latencies| rows.iter().map(move |row| (row.name.as_str(), of(&row.waits)));
    latency::print("ms from when it was due until read", all(|waits| &waits.visitors));
    latency::print("ms from when it was sent until here", all(|waits| &waits.served));
}

pub(crate) fn json(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        let [per_second, first, cpu, whole] = row.medians();
        let of = |part: fn(&Used) -> Duration| row.median(|sample| sample.each(part(&sample.backend)));
        json!({
            "server": row.name,
            "requests_per_second": per_second,
            "cpu_microseconds_per_request": {
                "server": cpu,
                "redis": of(|used| used.redis),
                "workers": of(|used| used.workers),
                "postgres": of(|used| used.postgres),
                "all": whole,
            },
            "cpu_microseconds_per_first_visit": first,
            "ratio_to_hyper": told(row.ratio_to(&rows[0])),
            "milliseconds_of_an_answer": {
                "asked_per_second": row.waits.per_second(),
                "due_until_read": row.waits.visitors.json(),
                "sent_until_here": row.waits.served.json(),
            },
            "peak_memory_bytes": row.memory,
            "requests": row.samples.iter().map(|sample| sample.requests).sum::<u64>(),
            "rounds": row.samples.iter().map(Sample::json).collect::<Vec<_>>(),
        })
    };
    json!({ "servers": rows.iter().map(row).collect::<Vec<_>>() })
}
