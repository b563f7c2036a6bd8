//! What counting costs, whole: a million clicks over 10,000 links through Redis and workers into Postgres, and whether
//! totals, rollups and single clicks agree afterwards: `cargo build --release && cargo bench --bench clicks`.
//!
//! It starts all servers itself. Another number of clicks is taken from the variable `CLICKS`.

#[cfg(unix)]
mod unix {
    use std::{collections::BTreeMap, fs, path::PathBuf, process::Child, time::Duration};

    use boltlink_testkit::{Client, Load, Persistence, PostgresServer, RedisServer, Server};
    use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
    use serde_json::json;
    use tokio::time::Instant;

    const LINKS: usize = 10_000;
    /// Links made in one call.
    const BULK: usize = 1_000;
    /// Clock ticks a second in `/proc` (`getconf CLK_TCK`), 100 on every Linux.
    const TICKS: f64 = 100.0;

    type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

    /// A worker. Dropping it kills it.
    struct Worker(Child);

    impl Drop for Worker {
        fn drop(&mut self) {
            // It may have ended by itself.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    pub(crate) async fn run() -> Outcome<()> {
        let clicks: u64 = std::env::var("CLICKS").ok().and_then(|clicks| clicks.parse().ok()).unwrap_or(1_000_000);
        let exe = program()?;
        let postgres = PostgresServer::start().await?;
        let redis = RedisServer::start(Persistence::AppendEverySecond).await?;
        let node = Server::builder(exe)
            .env("DATABASE_URL", postgres.url())
            .env("REDIS_URL", redis.url())
            .env("BOLTLINK_WORKERS", "none")
            .start()
            .await?;
        let client = node.client();
        make_links(&client).await?;
        let slugs: Vec<_> = (0..LINKS).map(|number| format!("/l{number}")).collect();
        tokio::time::sleep(Duration::from_secs(2)).await;

        let idle = memory(&redis).await?;
        let before = cpu()?;
        let begin = Instant::now();
        let tally = browser(Load::new(node.address(), &slugs)).requests(clicks).start().finish().await;
        let served = begin.elapsed();
        if tally.answered_with(302) != clicks {
            return Err(format!("not every visit was redirected: {tally:?}").into());
        }
        // Everything is in Redis when the view has it all.
        until(async || Ok(sum_of_totals(&client).await? == clicks)).await?;
        let held = memory(&redis).await? - idle;
        println!("redirected {clicks} visits in {served:.1?}: {:.0} a second", rate(clicks, served));
        println!("Redis holds {:.0} bytes for each", held as f64 / clicks as f64);

        let begin = Instant::now();
        let workers = ["aggregator", "analytics"]
            .map(|kind| node.command().args(["worker", kind]).stdout(null()).stderr(null()).spawn().map(Worker));
        until(async || Ok(client.rolled_up().await? == clicks && waiting(&redis).await? == 0)).await?;
        let stored = begin.elapsed();
        println!("stored in {stored:.1?}: {:.0} a second", rate(clicks, stored));

        println!("\n{:<44} {:>12} {:>14} {:>12}", "process", "CPU, s", "µs per click", "peak, MB");
        let mut sum = 0.0;
        for (name, used) in cpu()? {
            let seconds = used.seconds - before.get(&name).map_or(0.0, |before| before.seconds);
            sum += seconds;
            let each = seconds * 1e6 / clicks as f64;
            println!("{name:<44} {seconds:>12.2} {each:>14.2} {:>12.0}", used.peak_kib as f64 / 1024.0);
        }
        println!("{:<44} {sum:>12.2} {:>14.2}", "all but the load", sum * 1e6 / clicks as f64);

        let counted = [
            ("totals", sum_of_totals(&client).await?),
            ("totals in the database", number(postgres.url(), "SELECT sum(clicks)::BIGINT FROM link_total").await?),
            (
                "rollups by link and day",
                number(postgres.url(), "SELECT sum(clicks)::BIGINT FROM rollup_link_day").await?,
            ),
            ("weights of single clicks", number(postgres.url(), "SELECT sum(weight)::BIGINT FROM click").await?),
        ];
        let rows = number(postgres.url(), "SELECT count(*) FROM click").await?;
        println!("\n{clicks} visits, {rows} single clicks kept");
        for (name, counted) in counted {
            println!("{name:<44} {counted:>12} {}", if counted == clicks { "exact" } else { "WRONG" });
        }
        drop(workers);
        if counted.iter().all(|(_, counted)| *counted == clicks) { Ok(()) } else { Err("the counts differ".into()) }
    }

    /// The server, built as it is run.
    fn program() -> Outcome<PathBuf> {
        let folder = std::env::current_exe()?.ancestors().nth(2).map(|folder| folder.join("boltlink"));
        folder.filter(|exe| exe.exists()).ok_or_else(|| "build the server first: cargo build --release".into())
    }

    fn null() -> std::process::Stdio {
        std::process::Stdio::null()
    }

    async fn make_links(client: &Client) -> Outcome<()> {
        for first in (0..LINKS).step_by(BULK) {
            let links: Vec<_> = (first..first + BULK)
                .map(
                    |number| json!({ "target": format!("https://example.com/{number}"), "slug": format!("l{number}") }),
                )
                .collect();
            let request = client.request("POST".parse()?, "/api/v1/links/bulk").json(&json!({ "links": links }));
            let reply = client.send(request).await?;
            if !(200..300).contains(&reply.status) {
                return Err(format!("links were refused: {}", reply.text).into());
            }
        }
        Ok(())
    }

    /// What a browser sends.
    fn browser(load: Load) -> Load {
        load.connections(32)
            .header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
            .header("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
            .header("Accept-Language", "en-US,en;q=0.5")
            .header("Referer", "https://news.example.com/")
    }

    /// The clicks of all links, as the API tells them.
    async fn sum_of_totals(client: &Client) -> Outcome<u64> {
        let (mut sum, mut cursor) = (0, String::new());
        loop {
            let page = client.get(&format!("/api/v1/links?limit=500{cursor}")).await?.expect(200)?;
            let links = page["items"].as_array().ok_or("a list without links")?;
            sum += links.iter().filter_map(|link| link["clicks"].as_u64()).sum::<u64>();
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(sum),
            }
        }
    }

    async fn number(url: &str, sql: &str) -> Outcome<u64> {
        let db = Database::connect(url).await?;
        let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?.ok_or("no row")?;
        let number: Option<i64> = row.try_get_by_index(0)?;
        db.close().await?;
        Ok(u64::try_from(number.unwrap_or(0))?)
    }

    /// Batches that the log still holds.
    async fn waiting(redis: &RedisServer) -> Outcome<u64> {
        let answer = redis.call(&["HLEN", "boltlink:{0}:held"]).await?;
        Ok(answer.trim_start_matches(':').parse()?)
    }

    /// Bytes that Redis uses.
    async fn memory(redis: &RedisServer) -> Outcome<i64> {
        let script = "return tonumber(string.match(redis.call('INFO', 'memory'), 'used_memory:(%d+)'))";
        Ok(redis.call(&["EVAL", script, "0"]).await?.trim_start_matches(':').parse()?)
    }

    async fn until(condition: impl AsyncFn() -> Outcome<bool>) -> Outcome<()> {
        let end = Instant::now() + Duration::from_secs(600);
        while !condition().await? {
            if Instant::now() > end {
                return Err("it does not come to an end".into());
            }
            // To ask costs something, too.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    fn rate(clicks: u64, time: Duration) -> f64 {
        clicks as f64 / time.as_secs_f64()
    }

    #[derive(Default)]
    struct Used {
        seconds: f64,
        peak_kib: u64,
    }

    /// What the servers that this process started have used so far, by what they are.
    fn cpu() -> Outcome<BTreeMap<String, Used>> {
        let mut parents = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            // A process may be gone by now.
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
            let Some((_, fields)) = stat.rsplit_once(") ") else { continue };
            let fields: Vec<_> = fields.split(' ').map(str::to_owned).collect();
            parents.insert(pid, fields);
        }
        let mut used: BTreeMap<String, Used> = BTreeMap::new();
        for (pid, fields) in &parents {
            let ours = std::iter::successors(Some(*pid), |pid| parents.get(pid)?[1].parse().ok())
                .skip(1)
                .take(16)
                .any(|ancestor| ancestor == std::process::id());
            let Some(name) = ours.then(|| kind(*pid)).flatten() else { continue };
            // User and system time, and those of children that have ended.
            let ticks: f64 = fields[11..15].iter().filter_map(|field| field.parse::<f64>().ok()).sum();
            let sum = used.entry(name).or_default();
            sum.seconds += ticks / TICKS;
            sum.peak_kib = sum.peak_kib.max(peak_kib(*pid).unwrap_or(0));
        }
        Ok(used)
    }

    fn peak_kib(pid: u32) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    fn kind(pid: u32) -> Option<String> {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let mut words = line.split('\0');
        let program = words.next()?.rsplit('/').next()?.split(':').next()?.trim().to_owned();
        let program = program.split(' ').next()?.to_owned();
        match program.as_str() {
            "boltlink" => Some(format!("boltlink {}", words.take(2).collect::<Vec<_>>().join(" ")).trim().to_owned()),
            "postgres" | "redis-server" => Some(program),
            _ => None,
        }
    }
}

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    unix::run().await
}

#[cfg(not(unix))]
fn main() {
    println!("this bench starts Postgres and Redis, which it does on Unix only");
}
