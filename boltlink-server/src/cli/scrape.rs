//! What a running server tells of itself, as another process reads it.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{failure::Failure, probe};
use crate::config::Config;

/// Where a server is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    address: SocketAddr,
    tls: bool,
}

impl Source {
    /// On its listener for operators, if it has one.
    pub(super) fn of(config: &Config) -> Self {
        match config.http.admin_listen {
            Some(address) => Self { address, tls: false },
            None => Self { address: config.http.listen, tls: config.tls_files().is_some() },
        }
    }

    /// Whether it wants requests, and what it says.
    pub(super) async fn ready(self) -> Result<(bool, String), Failure> {
        let answer = probe::answer(self.address, self.tls, "/ready").await.map_err(|error| self.silent(&error))?;
        Ok((answer.status == 200, answer.body))
    }

    /// All it counts.
    pub(super) async fn scrape(self) -> Result<Scrape, Failure> {
        let answer = probe::answer(self.address, self.tls, "/metrics").await.map_err(|error| self.silent(&error))?;
        match answer.status {
            200 => Ok(Scrape { at: Instant::now(), samples: parse(&answer.body) }),
            status => Err(Failure::new(format_args!(
                "{} answers /metrics with {status}\n    fix: ask on the server's machine, or set BOLTLINK_ADMIN_LISTEN as it is there",
                self.address
            ))),
        }
    }

    fn silent(self, error: &io::Error) -> Failure {
        Failure::new(format_args!(
            "no server answers on {}: {error}\n    fix: name where it listens with --listen or BOLTLINK_LISTEN",
            self.address
        ))
    }
}

/// What was counted by one moment.
#[derive(Debug, Clone)]
pub(super) struct Scrape {
    at: Instant,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Of which samples: a label and the value that it must have.
type Label<'a> = (&'a str, &'a str);

impl Scrape {
    fn all<'a>(&'a self, name: &'a str, labels: &'a [Label<'a>]) -> impl Iterator<Item = &'a Sample> {
        let has =
            |sample: &Sample, (label, value): &Label<'_>| sample.labels.get(*label).is_some_and(|own| own == value);
        self.samples.iter().filter(move |sample| sample.name == name && labels.iter().all(|label| has(sample, label)))
    }

    /// The sum of these.
    pub(super) fn sum(&self, name: &str, labels: &[Label<'_>]) -> f64 {
        self.all(name, labels).map(|sample| sample.value).sum()
    }

    /// The largest of these; `None` if it is not told.
    pub(super) fn most(&self, name: &str, labels: &[Label<'_>]) -> Option<f64> {
        self.all(name, labels).map(|sample| sample.value).reduce(f64::max)
    }

    /// The values of a label, each with its sum.
    pub(super) fn by(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for sample in self.all(name, &[]) {
            if let Some(value) = sample.labels.get(label) {
                *sums.entry(value.clone()).or_default() += sample.value;
            }
        }
        sums
    }
}

/// What happened between two moments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between<'a> {
    pub(super) before: &'a Scrape,
    pub(super) now: &'a Scrape,
}

impl Between<'_> {
    /// How much more there was each second.
    pub(super) fn rate(self, name: &str, labels: &[Label<'_>]) -> f64 {
        let time = self.now.at.duration_since(self.before.at).as_secs_f64();
        (self.now.sum(name, labels) - self.before.sum(name, labels)).max(0.0) / time.max(1e-3)
    }

    /// How long such a share of what a histogram counted took at most: the bound of its bucket. `None` if it counted nothing.
    pub(super) fn quantile(self, share: f64, name: &str, labels: &[Label<'_>]) -> Option<Duration> {
        let name = format!("{name}_bucket");
        let buckets = |scrape: &Scrape| {
            let mut buckets: Vec<(f64, f64)> = Vec::new();
            for sample in scrape.all(&name, labels) {
                let Some(bound) = sample.labels.get("le").and_then(|bound| bound.parse().ok()) else { continue };
                match buckets.iter_mut().find(|(known, _)| *known == bound) {
                    Some((_, count)) => *count += sample.value,
                    None => buckets.push((bound, sample.value)),
                }
            }
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            buckets
        };
        let before: BTreeMap<_, _> =
            buckets(self.before).into_iter().map(|(bound, count)| (bound.to_bits(), count)).collect();
        let earlier = |bound: f64| before.get(&bound.to_bits()).copied().unwrap_or_default();
        let counts: Vec<_> =
            buckets(self.now).into_iter().map(|(bound, count)| (bound, count - earlier(bound))).collect();
        let all = counts.last().map_or(0.0, |(_, count)| *count);
        if all <= 0.0 {
            return None;
        }
        let (bound, _) = counts.iter().find(|(_, count)| *count >= all * share)?;
        Some(Duration::try_from_secs_f64(*bound).unwrap_or(Duration::MAX))
    }
}

/// Reads Prometheus' text format, as far as the server writes it.
fn parse(text: &str) -> Vec<Sample> {
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let mut read = BTreeMap::new();
        let mut rest = labels.trim_end_matches('}');
        while let Some((label, after)) = rest.split_once("=\"") {
            // None of our values has a quote in it.
            let (value, after) = after.split_once('"')?;
            read.insert(label.to_owned(), value.to_owned());
            rest = after.trim_start_matches(',');
        }
        Some(Sample { name: name.to_owned(), labels: read, value: value.parse().ok()? })
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE t histogram\nt_bucket{le=\"0.1\",route=\"/{slug}\"} 1\nt_bucket{le=\"0.5\",route=\"/{slug}\"} 3\n\
                        t_bucket{le=\"+Inf\",route=\"/{slug}\"} 4\nplain 7.5\n";

    fn scrape(text: &str) -> Scrape {
        Scrape { at: Instant::now(), samples: parse(text) }
    }

    #[test]
    fn samples_are_read_with_their_labels() {
        let read = scrape(TEXT);
        assert_eq!(read.sum("plain", &[]), 7.5);
        assert_eq!(read.sum("t_bucket", &[("route", "/{slug}"), ("le", "0.5")]), 3.0);
        assert_eq!(read.most("t_bucket", &[]), Some(4.0));
        assert_eq!(read.most("unknown", &[]), None);
        assert_eq!(read.by("t_bucket", "route"), [("/{slug}".to_owned(), 8.0)].into());
    }

    #[test]
    fn quantiles_are_of_what_came_between() {
        let before = scrape("t_bucket{le=\"0.1\"} 100\nt_bucket{le=\"0.5\"} 100\nt_bucket{le=\"+Inf\"} 100\n");
        let now = scrape("t_bucket{le=\"0.1\"} 100\nt_bucket{le=\"0.5\"} 103\nt_bucket{le=\"+Inf\"} 104\n");
        let between = Between { before: &before, now: &now };
        assert_eq!(between.quantile(0.5, "t", &[]), Some(Duration::from_millis(500)));
        assert_eq!(between.quantile(1.0, "t", &[]), Some(Duration::MAX));
        assert_eq!(Between { before: &now, now: &now }.quantile(0.5, "t", &[]), None);
    }
}
