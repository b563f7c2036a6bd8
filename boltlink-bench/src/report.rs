//! What was measured, for people and for programs.

use std::{fmt, time::Duration};

use serde_json::{Value, json};

use crate::backend::Used;

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
    /// At half the load, of each tenth of a second, the shortest first.
    pub(crate) latencies: Vec<Vec<Duration>>,
    /// At its peak, in bytes.
    pub(crate) memory: u64,
}

impl Row {
    /// How long 50 %, 99 % and 99.9 % of all answers took at most, in milliseconds.
    fn percentiles(&self) -> [f64; 3] {
        let mut all = self.latencies.concat();
        all.sort_unstable();
        [500, 990, 999].map(|part| percentile(&all, part).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3))
    }

    /// How long 99 % took of each tenth of a second: where there are fewer than a hundred, the slowest.
    fn p99s(&self) -> Vec<f64> {
        let of = |tenth: &Vec<_>| Some(percentile(tenth, 990)?.as_secs_f64() * 1e3);
        self.latencies.iter().filter_map(of).collect()
    }

    /// In how many tenths of a second of all that was below a millisecond.
    fn quick_share(&self) -> f64 {
        let all = self.p99s();
        all.iter().filter(|latency| **latency < 1.0).count() as f64 / all.len() as f64
    }

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

/// How long the quickest so many of a thousand took at most, of times in their order; `None` if there are none.
pub(crate) fn percentile(sorted: &[Duration], of_thousand: usize) -> Option<Duration> {
    let last = (sorted.len() * of_thousand).div_ceil(1000).checked_sub(1)?;
    sorted.get(last).copied()
}

/// The median, the least and the most.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    [at(values.len() / 2), at(0), at(values.len().saturating_sub(1))]
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

/// How long answers took at half the load: of all, and tenth by tenth of a second, as a machine that stands still for some
/// milliseconds now and then spoils the former for every server.
pub(crate) fn print_latencies(rows: &[Row]) {
    println!(
        "\n{:<40} {:>8} {:>8} {:>8} {:>26} {:>10}",
        "at half the load, ms", "p50", "p99", "p99.9", "p99 of a tenth of a second", "below 1 ms"
    );
    for row in rows {
        let [p50, p99, p999] = row.percentiles();
        let [middle, least, most] = spread(row.p99s());
        println!(
            "{:<40} {p50:>8.3} {p99:>8.3} {p999:>8.3} {:>26} {:>9.0} %",
            row.name,
            format!("{middle:.3} ({least:.3}–{most:.3})"),
            row.quick_share() * 100.0
        );
    }
}

pub(crate) fn json(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        let [per_second, first, cpu, whole] = row.medians();
        let [p50, p99, p999] = row.percentiles();
        let told = |[median, least, most]: [f64; 3]| json!({ "median": median, "least": least, "most": most });
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
            "milliseconds_at_half_load": {
                "p50": p50,
                "p99": p99,
                "p99.9": p999,
                "p99_of_a_tenth_of_a_second": told(spread(row.p99s())),
                "share_of_tenths_with_p99_below_1": row.quick_share(),
            },
            "peak_memory_bytes": row.memory,
            "requests": row.samples.iter().map(|sample| sample.requests).sum::<u64>(),
        })
    };
    json!({ "servers": rows.iter().map(row).collect::<Vec<_>>() })
}
