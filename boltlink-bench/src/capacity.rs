//! What carries how much, and what bends first: the way of a click from the node that answers to the database, computed
//! from what single steps cost.
//!
//! Clicks are drawn (links by Zipf) to learn of how many different links so many of them are; then time passes:
//! consumers take what waits, as `gather.rs` and `pipeline.rs` of the engine do, and the database writes what they
//! bring, one transaction of a consumer after the other. Nothing is measured here: the costs are those that `bench
//! redirect` has found, and can be said anew.

use std::collections::HashSet;

use rand::{SeedableRng, distr::Distribution, rngs::StdRng};
use rand_distr::Zipf;

use crate::{Result, visitors::SKEW};

/// The most clicks that are drawn: more than are stored or sent in one go.
const DRAWN: usize = 1 << 22;
/// How long the simulated load lasts.
const TIME: f64 = 120.0;
/// A core that has less rest than this makes the others wait.
const BUSY: f64 = 0.8;
/// How the engine works: how long totals and analytics wait, how long a busy consumer waits at most, which part of the time it
/// may store, and how many clicks are stored in one go at most.
const TOTALS: f64 = 1.0;
const ANALYTICS: f64 = 2.0;
const LONGEST: f64 = 10.0;
const SHARE: f64 = 20.0;
const AT_ONCE_TOTALS: f64 = 90_000.0;
const AT_ONCE_ANALYTICS: f64 = 180_000.0;
/// How often a node sends clicks to Redis.
const SENDING: f64 = 0.022;
/// What is written of a link at a time: an hour, a day and a single click, and beside them the values of the day.
const ROWS: f64 = 3.0;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Redirects per second of all nodes; may be said several times.
    #[arg(long, default_values_t = [40_000, 1_000_000])]
    rate: Vec<u64>,
    /// How many links are followed.
    #[arg(long, default_value_t = 1_000_000)]
    links: usize,
    #[command(flatten)]
    costs: Costs,
}

/// Microseconds on a core.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Costs {
    /// Of a redirect, on a node.
    #[arg(long = "cost-redirect", default_value_t = 7.5)]
    redirect: f64,
    /// Of a call that brings clicks to Redis, takes them out, and settles them.
    #[arg(long = "cost-call", default_value_t = 300.0)]
    call: f64,
    /// Of a click in such a call.
    #[arg(long = "cost-logged", default_value_t = 2.2)]
    logged: f64,
    /// Of a different link in such a call.
    #[arg(long = "cost-shown", default_value_t = 2.5)]
    shown: f64,
    /// Of a click, in both workers.
    #[arg(long = "cost-added", default_value_t = 1.4)]
    added: f64,
    /// Of a row that is written to Postgres.
    #[arg(long = "cost-row", default_value_t = 6.5)]
    row: f64,
    /// Of the values of a link and day, which are read from Postgres, and written.
    #[arg(long = "cost-values", default_value_t = 12.5)]
    values: f64,
}

/// Of how many different links so many clicks are.
#[derive(Debug, Clone, Copy, Default)]
struct Different {
    clicks: f64,
    links: f64,
}

/// What one rate asks of each part, in cores.
#[derive(Debug, Default)]
struct Cores {
    nodes: f64,
    redis: f64,
    workers: f64,
    postgres_totals: f64,
    postgres_analytics: f64,
    /// How long clicks wait at most until they are in totals and in analytics; endless if ever longer.
    lag: [f64; 2],
}

pub(crate) fn run(options: &Options) -> Result {
    let different = draw(options.links)?;
    let Costs { redirect, call, logged, shown, added, row, values } = options.costs;
    println!(
        "{} links. Microseconds of a core: a redirect {redirect}, a call to Redis {call} and in it each click {logged} and each \
         different link {shown}, a click in the workers {added}, a row in Postgres {row}, the values of a day {values}.\n",
        options.links
    );
    println!(
        "{:>12} | {:>8} {:>8} {:>8} {:>8} {:>10} | {:>10} {:>10}",
        "redirects/s", "nodes", "Redis", "workers", "totals", "analytics", "totals", "analytics"
    );
    println!("{:>12} | {:>46} | {:>21}", "", "cores", "seconds behind");
    for rate in &options.rate {
        show(*rate as f64, &different, &options.costs);
    }
    println!("\nWhat bends first:");
    for (name, most) in bounds(&different, &options.costs) {
        println!("{name:<64} {most:>12.0} redirects/s");
    }
    Ok(())
}

fn show(rate: f64, different: &[Different], costs: &Costs) {
    let Cores { nodes, redis, workers, postgres_totals, postgres_analytics, lag } = cores(rate, different, costs);
    println!(
        "{rate:>12.0} | {nodes:>8.1} {redis:>8.2} {workers:>8.2} {postgres_totals:>8.2} {postgres_analytics:>10.2} | {:>10.1} \
         {:>10.1}",
        lag[0], lag[1]
    );
}

/// Draws clicks, and notes at each power of two of how many different links they were.
fn draw(links: usize) -> Result<Vec<Different>> {
    let mut random = StdRng::seed_from_u64(11);
    let zipf = Zipf::new(links.max(1) as f64, SKEW)?;
    let mut seen = HashSet::new();
    let mut noted = vec![Different::default()];
    for click in 1..=DRAWN {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Whole numbers up to that of the links.
        seen.insert(zipf.sample(&mut random) as u32);
        if click.is_power_of_two() {
            noted.push(Different { clicks: click as f64, links: seen.len() as f64 });
        }
    }
    Ok(noted)
}

/// Of how many different links so many clicks are, between those that were noted.
fn different(noted: &[Different], clicks: f64) -> Different {
    let above = noted.iter().position(|noted| noted.clicks >= clicks);
    let Some(above) = above.filter(|above| *above > 0) else {
        // As few as there are, or as many as were drawn at a time.
        let last = noted.last().copied().unwrap_or_default();
        let times = if last.clicks > 0.0 { clicks / last.clicks } else { 0.0 };
        return Different { clicks, links: last.links * times };
    };
    let (low, high) = (noted[above - 1], noted[above]);
    let part = (clicks - low.clicks) / (high.clicks - low.clicks);
    Different { clicks, links: low.links + part * (high.links - low.links) }
}

/// What a rate asks of each part.
fn cores(rate: f64, noted: &[Different], costs: &Costs) -> Cores {
    let nodes = rate * costs.redirect / 1e6;
    // As many nodes as keep their cores from being busy, each of which sends for itself.
    let senders = (nodes / BUSY).ceil().max(1.0);
    let sent = different(noted, rate / senders * SENDING);
    let call = costs.call + costs.logged * sent.clicks + costs.shown * sent.links;
    let redis = senders / SENDING * call / 1e6;
    // Only analytics waits the longer the more there is to do.
    let write = |clicks: f64, of_a_link: f64| different(noted, clicks).links * of_a_link / 1e6;
    let totals = consume(rate, (TOTALS, 0.0), AT_ONCE_TOTALS, |clicks| write(clicks, costs.row));
    let of_a_link = ROWS * costs.row + costs.values;
    let analytics = consume(rate, (ANALYTICS, SHARE), AT_ONCE_ANALYTICS, |clicks| write(clicks, of_a_link));
    Cores {
        nodes,
        redis,
        workers: rate * costs.added / 1e6,
        postgres_totals: totals.0,
        postgres_analytics: analytics.0,
        lag: [totals.1, analytics.1],
    }
}

/// Lets a consumer take what waits, again and again, of which it stores up to `at_once` in a transaction of so long; with
/// pauses of an interval, or of a share of what the last one took. Says which part of the time it stores, and how long
/// clicks wait at most.
fn consume(rate: f64, (interval, share): (f64, f64), at_once: f64, transaction: impl Fn(f64) -> f64) -> (f64, f64) {
    let (mut now, mut taken, mut busy, mut lag) = (interval, 0.0, 0.0, 0.0_f64);
    while now < TIME {
        let begun = now;
        // All that came, also what comes meanwhile.
        while rate * now - taken > 1.0 {
            let clicks = (rate * now - taken).min(at_once);
            let time = transaction(clicks);
            lag = lag.max(now + time - taken / rate);
            taken += clicks;
            now += time;
            busy += time;
            if now > TIME || clicks < at_once {
                break;
            }
        }
        now = (now + interval).max(begun + ((now - begun) * share).min(LONGEST));
    }
    // What still waits tells whether it keeps up.
    let waits = TIME - taken / rate;
    (busy / TIME, if waits > 4.0 * LONGEST { f64::INFINITY } else { lag })
}

/// How much each part carries by itself, the first to bend first.
fn bounds(noted: &[Different], costs: &Costs) -> Vec<(&'static str, f64)> {
    let most = |is_busy: &dyn Fn(&Cores) -> bool| {
        let (mut low, mut high) = (1_000.0_f64, 1e9_f64);
        while high / low > 1.01 {
            let middle = (low * high).sqrt();
            if is_busy(&cores(middle, noted, costs)) { high = middle } else { low = middle }
        }
        low
    };
    let mut bounds = vec![
        ("one core of a node", most(&|cores| cores.nodes > BUSY)),
        ("one Redis (its one thread)", most(&|cores| cores.redis > BUSY)),
        ("one worker of each kind, on one core", most(&|cores| cores.workers > BUSY)),
        ("totals: one writer of Postgres", most(&|cores| cores.postgres_totals > BUSY || cores.lag[0].is_infinite())),
        (
            "analytics: one writer of Postgres",
            most(&|cores| cores.postgres_analytics > BUSY || cores.lag[1].is_infinite()),
        ),
    ];
    bounds.sort_by(|a, b| a.1.total_cmp(&b.1));
    bounds
}
