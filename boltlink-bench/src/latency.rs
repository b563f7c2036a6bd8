//! How long answers took.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Result,
    stat::{percentile, spread, told},
};

/// The time of which answers are looked at together. A machine that stands still now and then spoils some of it.
const TENTH: Duration = Duration::from_millis(100);

/// How long answers took, of each tenth of a second.
#[derive(Default)]
pub(crate) struct Latencies {
    tenths: Vec<Vec<Duration>>,
}

/// The same answers, as two would see them: neither is the whole truth of a server.
#[derive(Default)]
pub(crate) struct Waits {
    /// From when its request was due until it was read: with what the generator waits for its own core.
    pub(crate) visitors: Latencies,
    /// From when its request was sent until it was here, read or not: without what a request waits for one of the connections,
    /// as there are so many at a time only.
    pub(crate) served: Latencies,
    /// How long it was asked for.
    taken: Duration,
}

impl Waits {
    pub(crate) fn new(visitors: Latencies, served: Latencies, taken: Duration) -> Result<Self> {
        if served.count() * 100 < visitors.count() * 99 {
            return Err("the kernel does not say when answers came".into());
        }
        Ok(Self { visitors, served, taken })
    }

    /// Adds those of another time.
    pub(crate) fn add(&mut self, other: Self) {
        self.visitors.tenths.extend(other.visitors.tenths);
        self.served.tenths.extend(other.served.tenths);
        self.taken += other.taken;
    }

    /// How often a second it was asked.
    pub(crate) fn per_second(&self) -> f64 {
        self.visitors.count() as f64 / self.taken.as_secs_f64()
    }
}

impl Latencies {
    /// With room for this rate.
    pub(crate) fn of(time: Duration, rate: f64) -> Self {
        let room = (rate * TENTH.as_secs_f64()) as usize + 1;
        let tenths = time.as_millis() / TENTH.as_millis();
        Self { tenths: (0..tenths).map(|_| Vec::with_capacity(room)).collect() }
    }

    /// Notes one, of a request that was due so long after the first.
    pub(crate) fn note(&mut self, due: Duration, latency: Duration) {
        if let Some(tenth) = self.tenths.get_mut((due.as_millis() / TENTH.as_millis()) as usize) {
            tenth.push(latency);
        }
    }

    /// How long 50 %, 99 % and 99.9 % of all answers took at most, in milliseconds.
    fn percentiles(&self) -> [f64; 3] {
        let mut all = self.tenths.concat();
        all.sort_unstable();
        [500, 990, 999].map(|part| percentile(&all, part).map_or(f64::NAN, milliseconds))
    }

    /// How long 99 % took of each tenth of a second: where there are fewer than a hundred, the slowest.
    fn p99s(&self) -> Vec<f64> {
        let of = |tenth: &Vec<Duration>| {
            let mut tenth = tenth.clone();
            tenth.sort_unstable();
            percentile(&tenth, 990).map(milliseconds)
        };
        self.tenths.iter().filter_map(of).collect()
    }

    fn count(&self) -> usize {
        self.tenths.iter().map(Vec::len).sum()
    }

    /// A line for people.
    fn print(&self, name: &str) {
        let [p50, p99, p999] = self.percentiles();
        let p99s = self.p99s();
        let below = quick_share(&p99s) * 100.0;
        let [middle, least, most] = spread(p99s);
        let middle = format!("{middle:.3} ({least:.3}–{most:.3})");
        println!("{name:<40} {p50:>8.3} {p99:>8.3} {p999:>8.3} {middle:>26} {below:>9.0} %");
    }

    pub(crate) fn json(&self) -> Value {
        let [p50, p99, p999] = self.percentiles();
        let p99s = self.p99s();
        json!({
            "p50": p50,
            "p99": p99,
            "p99.9": p999,
            "share_of_tenths_with_p99_below_1": quick_share(&p99s),
            "p99_of_a_tenth_of_a_second": told(spread(p99s)),
        })
    }
}

/// In how many tenths of a second of all 99 % took less than a millisecond.
fn quick_share(p99s: &[f64]) -> f64 {
    p99s.iter().filter(|latency| **latency < 1.0).count() as f64 / p99s.len() as f64
}

fn milliseconds(latency: Duration) -> f64 {
    latency.as_secs_f64() * 1e3
}

/// How long answers took: of all, and tenth by tenth of a second, as a machine that stands still for some milliseconds now
/// and then spoils the former for every server.
pub(crate) fn print<'a>(title: &str, rows: impl IntoIterator<Item = (&'a str, &'a Latencies)>) {
    println!(
        "\n{title:<40} {:>8} {:>8} {:>8} {:>26} {:>11}",
        "p50", "p99", "p99.9", "p99 of a tenth of a second", "below 1 ms"
    );
    for (name, latencies) in rows {
        latencies.print(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_stall_spoils_its_tenth_and_the_percentile_of_all() {
        let of = |stalled: u32| {
            let mut latencies = Latencies::of(300 * MS, 1000.0);
            for n in 0..300 {
                latencies.note(n * MS, if (100..100 + stalled).contains(&n) { 5 * MS } else { MS / 2 });
            }
            latencies
        };
        assert_eq!(of(2).percentiles(), [0.5, 0.5, 5.0]);
        assert_eq!(of(4).percentiles(), [0.5, 5.0, 5.0]);
        assert_eq!(of(2).p99s(), [0.5, 5.0, 0.5]);
        assert_eq!(quick_share(&of(2).p99s()), 2.0 / 3.0);
    }

    #[test]
    fn waits_add_up_unless_the_kernel_says_nothing() {
        let one = || {
            let mut one = Latencies::of(100 * MS, 10.0);
            one.note(Duration::ZERO, MS);
            one
        };
        let mut waits = Waits::new(one(), one(), MS).unwrap();
        waits.add(Waits::new(one(), one(), MS).unwrap());
        assert_eq!((waits.visitors.count(), waits.served.count()), (2, 2));
        assert_eq!(waits.per_second(), 1000.0);
        assert!(Waits::new(one(), Latencies::default(), MS).is_err());
    }
}
