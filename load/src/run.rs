//! One load from beginning to end.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use boltlink_testkit::{Client, Server};
use goose::{GooseAttack, GooseError, config::GooseConfiguration, metrics::GooseMetrics};
use reqwest::Method;
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    Args, Result,
    counts::Counts,
    growth::Line,
    profile::Profile,
    users::{self, Link, World},
    verdict::Verdict,
    watch::{Sample, Watch},
};

/// How many links are visited.
const LINKS: usize = 1_000;
/// What counts as growth: more than this share of what there is on average.
const GROWTH: f64 = 0.1;
/// What SQLite takes for pages of the file, once there are as many: of that nobody knows how much it has at the beginning.
const PAGES: f64 = (64 << 20) as f64;
/// Of a load that tells whether a server grows, the first part is left out: caches and pools fill.
const WARM_UP: f64 = 0.25;
/// Files and tasks may be some more or fewer at any moment: connections come and go.
const LOOSE: f64 = 16.0;

/// What there is to be shown.
pub(crate) struct Shown {
    pub(crate) profile: Profile,
    pub(crate) verdict: Verdict,
    pub(crate) samples: Vec<Sample>,
    /// When the server was killed.
    pub(crate) kills: Vec<Duration>,
}

/// Starts a server, loads it, and stops it.
pub(crate) async fn run(args: &Args, folder: &Path) -> Result<Shown> {
    let profile = args.profile;
    let mut server = start(args).await?;
    let (address, client) = (server.address(), server.client());
    let dies = profile.life(args.scale).is_some();
    // One that waits for its disk refuses what would take too long.
    let waits = dies || args.env.iter().any(|(name, value)| name == "BOLTLINK_DURABILITY" && value == "acknowledged");
    let world = Arc::new(World::new(server.key(), make_links(&client).await?, waits));
    let watch = Watch::start(client.clone());
    let (over, ended) = oneshot::channel();
    let attack = attack(args, folder, address, &world);
    let loading = async {
        let metrics = attack.await;
        let _ = over.send(());
        metrics
    };
    let (metrics, kills) = tokio::join!(loading, kill(&mut server, profile.life(args.scale), ended));
    let ((metrics, kills), samples) = ((metrics?, kills?), watch.samples());
    drop(watch);

    let mut verdict = Verdict::default();
    judge_answers(&mut verdict, args, &metrics, &world);
    if dies {
        verdict.expect("it is killed, and starts again", format!("{} times", kills.len()), !kills.is_empty());
    }
    judge_counts(&mut verdict, &Counts::settle(&client, &world).await?);
    // Elsewhere it does not tell.
    let tells = !samples.is_empty() || cfg!(not(target_os = "linux"));
    verdict.expect("it tells what it uses", format!("{} times", samples.len()), tells);
    if profile.must_stay_small() && !args.untimed {
        let on_postgres = args.env.iter().any(|(name, value)| name == "DATABASE_URL" && value.starts_with("postgres"));
        judge_growth(&mut verdict, &samples, if on_postgres { 0.0 } else { PAGES });
    }
    #[cfg(unix)]
    server.stop().await?;
    Ok(Shown { profile, verdict, samples, kills })
}

/// A server whose address stays the same when it starts again.
async fn start(args: &Args) -> Result<Server> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    // Killed without a warning, it must have what it answered.
    let durability = if args.profile == Profile::Chaos { "acknowledged" } else { "buffered" };
    let server = Server::builder(&args.exe)
        .env("BOLTLINK_LISTEN", address.to_string())
        .env("BOLTLINK_DURABILITY", durability)
        .env("BOLTLINK_LIMIT_API", "off");
    let server = args.env.iter().fold(server, |server, (name, value)| server.env(name, value));
    Ok(server.start().await?)
}

async fn make_links(client: &Client) -> Result<Vec<Link>> {
    let target = |number| format!("https://example.com/{number}");
    let wanted: Vec<_> =
        (0..LINKS).map(|number| json!({ "target": target(number), "slug": format!("load-{number}") })).collect();
    let request = client.request(Method::POST, "/api/v1/links/bulk").json(&json!({ "links": wanted }));
    let made = client.send(request).await?.expect(200)?;
    let made = made["results"].as_array().ok_or("no results")?.iter().enumerate();
    let link = |(number, made): (usize, &serde_json::Value)| {
        let id = made["link"]["id"].as_str().ok_or_else(|| format!("no link: {made}"))?;
        Ok(Link {
            id: id.to_owned(),
            slug: format!("load-{number}"),
            target: target(number),
            sent: Default::default(),
            answered: Default::default(),
        })
    };
    made.map(link).collect()
}

/// Lets the users come and go, and says what they measured. Its report is `goose.html`.
async fn attack(args: &Args, folder: &Path, address: SocketAddr, world: &Arc<World>) -> Result<Box<GooseMetrics>> {
    let profile = args.profile;
    let step = |(users, time): &(usize, Duration)| format!("{users},{}s", time.as_secs());
    let plan = profile.steps(args.scale).iter().map(step).collect::<Vec<_>>().join(";");
    let file = |name: &str| folder.join(name).display().to_string();
    let mut options: Vec<String> =
        ["--no-telnet", "--no-threshold-abort", "--no-print-metrics", "-qq"].map(Into::into).into();
    options.extend(["--host".into(), format!("http://{address}"), "--test-plan".into(), plan]);
    options.extend(["--report-file".into(), file("goose.html"), "--report-file".into(), file("goose.json")]);
    if let Some(rate) = profile.rate() {
        options.extend(["--throttle-requests".into(), rate.to_string()]);
    }
    if !args.untimed {
        options.extend(profile.thresholds().iter().flat_map(|rule| ["--threshold".into(), (*rule).into()]));
    }
    let attack = GooseAttack::initialize_with_config(
        GooseConfiguration::parse_args_default(&options).map_err(|error| format!("{error:?}"))?,
    )?;
    let attack = attack.register_scenario(users::scenario(world)?);
    match attack.execute().await {
        Ok(metrics) => Ok(Box::new(metrics)),
        // They are judged with all else.
        Err(GooseError::ThresholdsFailed { metrics, .. }) => Ok(metrics.0),
        // Which option, its message does not say.
        Err(error) => Err(format!("{error:?}").into()),
    }
}

/// Kills the server each time it has lived for so long, and starts it again; says when, since the load began.
async fn kill(server: &mut Server, life: Option<Duration>, mut ended: oneshot::Receiver<()>) -> Result<Vec<Duration>> {
    let (begin, mut kills) = (Instant::now(), Vec::new());
    let Some(life) = life else {
        let _ = ended.await;
        return Ok(kills);
    };
    while tokio::time::timeout(life, &mut ended).await.is_err() {
        kills.push(begin.elapsed());
        server.kill()?;
        server.restart().await?;
    }
    Ok(kills)
}

fn judge_answers(verdict: &mut Verdict, args: &Args, metrics: &GooseMetrics, world: &World) {
    for rule in &metrics.thresholds {
        verdict.expect(&rule.rule, &rule.observed, rule.passed);
    }
    let (wrong, first) = world.wrong();
    let first = first.first().map_or_else(String::new, |first| format!("; the first: {first}"));
    verdict.expect("every answer is right", format!("{wrong} wrong{first}"), wrong == 0);
    let (unanswered, refused) = (world.unanswered(), world.refused());
    let dies = args.profile.life(args.scale).is_some();
    let what = if dies { "what is not answered, as it was killed, or refused" } else { "every request is answered" };
    let seen = format!("{unanswered} without an answer, {refused} refused");
    verdict.expect(what, seen, dies || unanswered == 0);
}

fn judge_counts(verdict: &mut Verdict, counts: &Counts) {
    let Counts { sent, answered, counted, rolled_up, wrong } = counts;
    let seen = format!("{sent} visits sent, {answered} answered, {counted} counted");
    let seen = wrong.as_ref().map_or(seen.clone(), |wrong| format!("{seen}; {wrong}"));
    verdict.expect("every visit of every link is counted once", seen, wrong.is_none());
    verdict.expect("most visits are answered", format!("{answered} of {sent}"), *answered > 0 && answered * 2 >= *sent);
    verdict.expect("and so in the statistics", format!("{rolled_up} clicks"), rolled_up == counted);
}

/// Whether what the server uses stays as it is, once it is warm.
fn judge_growth(verdict: &mut Verdict, samples: &[Sample], pages: f64) {
    let warm = samples.len() as f64 * WARM_UP;
    let samples = &samples[(warm as usize).min(samples.len())..];
    let line = |value: fn(&Sample) -> f64| {
        Line::through(&samples.iter().map(|sample| (sample.at, value(sample))).collect::<Vec<_>>())
    };
    let minutes =
        samples.last().zip(samples.first()).map_or(0.0, |(last, first)| (last.at - first.at).as_secs_f64() / 60.0);
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let what = if pages > 0.0 {
        format!("its memory is flat, but for {:.0} MiB of pages", mib(pages))
    } else {
        "its memory is flat".into()
    };
    match line(|sample| sample.memory) {
        Some(memory) => {
            let Line { rise, error, mean } = memory;
            let seen =
                format!("{:+.1} ± {:.1} MiB of {:.1} in {minutes:.0} min", mib(rise), 2.0 * mib(error), mib(mean));
            verdict.expect(what, seen, memory.is_flat(GROWTH, pages));
        }
        None => verdict.expect(what, "too few samples", false),
    }
    for (what, value) in [
        ("open files", (|sample: &Sample| sample.files) as fn(&Sample) -> f64),
        ("tasks", |sample| sample.tasks),
        ("threads", |sample| sample.threads),
    ] {
        let (rise, mean) = line(value).map_or((f64::INFINITY, 0.0), |line| (line.rise, line.mean));
        verdict.expect(format!("its {what} are as many as before"), format!("{rise:+.1} of {mean:.0}"), rise <= LOOSE);
    }
}
