//! What was measured, for people and for programs.

use std::{fmt, time::Duration};

use serde_json::{Value, json};

/// One turn of one server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) requests: u64,
    /// How long the load lasted.
    pub(crate) taken: Duration,
    /// What the server used meanwhile.
    pub(crate) loaded: Duration,
    /// What it used until every click was stored.
    pub(crate) cpu: Duration,
}

impl Sample {
    fn per_second(&self) -> f64 {
        self.requests as f64 / self.taken.as_secs_f64()
    }

    /// In microseconds.
    fn cpu_per_request(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests as f64
    }

    fn loaded_per_request(&self) -> f64 {
        self.loaded.as_secs_f64() * 1e6 / self.requests as f64
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (loaded, all) = (self.loaded_per_request(), self.cpu_per_request());
        write!(f, "{:>8.0} requests/s {loaded:>6.2} µs under load {all:>6.2} µs in all", self.per_second())
    }
}

/// All turns of one server.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) samples: Vec<Sample>,
    /// At its peak, in bytes.
    pub(crate) memory: u64,
}

impl Row {
    /// How many times what a redirect costs here the first row's costs, round by round: its median, least and most.
    fn ratio_to(&self, first: &Self) -> [f64; 3] {
        let pairs = first.samples.iter().zip(&self.samples);
        spread(pairs.map(|(first, own)| first.cpu_per_request() / own.cpu_per_request()).collect())
    }
}

/// The median, the least and the most.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    [at(values.len() / 2), at(0), at(values.len().saturating_sub(1))]
}

pub(crate) fn print(rows: &[Row]) {
    println!(
        "\n{:<28} {:>10} {:>11} {:>22} {:>11}",
        "", "requests/s", "CPU/request", "hyper's ÷ its CPU", "peak memory"
    );
    for row in rows {
        let [per_second, ..] = spread(row.samples.iter().map(Sample::per_second).collect());
        let [cpu, ..] = spread(row.samples.iter().map(Sample::cpu_per_request).collect());
        let [ratio, least, most] = row.ratio_to(&rows[0]);
        let memory = row.memory as f64 / 1e6;
        let ratio = format!("{ratio:.2} ({least:.2}–{most:.2})");
        println!("{:<28} {per_second:>10.0} {cpu:>8.2} µs {ratio:>22} {memory:>8.1} MB", row.name);
    }
}

pub(crate) fn json(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        let [ratio, least, most] = row.ratio_to(&rows[0]);
        json!({
            "server": row.name,
            "requests_per_second": spread(row.samples.iter().map(Sample::per_second).collect())[0],
            "cpu_microseconds_per_request": spread(row.samples.iter().map(Sample::cpu_per_request).collect())[0],
            "ratio_to_hyper": { "median": ratio, "least": least, "most": most },
            "peak_memory_bytes": row.memory,
            "requests": row.samples.iter().map(|sample| sample.requests).sum::<u64>(),
        })
    };
    json!({ "servers": rows.iter().map(row).collect::<Vec<_>>() })
}
