//! Links and clicks, straight into the tables, as if all of them had been made and counted by the server.
//!
//! Every link has its rank by Zipf's law, and its clicks are spread evenly over the last 90 days and over the hours of each
//! of them, so that totals, hours, days, values and single clicks agree with one another.

use std::time::{SystemTime, UNIX_EPOCH};

use sea_orm::{ConnectionTrait, DatabaseConnection};

use super::{
    DOMAIN,
    store::{self, Kind, Store},
};
use crate::{Result, visitors};

/// Over how many days clicks are spread.
const DAYS: i64 = 90;
/// How many single clicks a second are kept, and for how many days: the server's own defaults.
const RAW_PER_SECOND: u64 = 500;
const RAW_DAYS: i64 = 30;
/// How many different values a link has a day, at most: hosts that refer to it, and languages.
const REFERRERS: i64 = 20;
const LANGUAGES: i64 = 8;
/// The languages, two letters each.
const SPOKEN: &str = "deenfresitptjazhkonlplsv";

const DAY: i64 = 86_400_000_000;
const HOUR: i64 = 3_600_000_000;

/// What was put into the database.
pub(crate) struct Filled {
    /// How many rows each table got.
    pub(crate) rows: Vec<(&'static str, u64)>,
    /// How many links.
    pub(crate) links: u64,
    /// The ids of the most clicked links, and of some others.
    pub(crate) hot: Vec<String>,
    pub(crate) any: Vec<String>,
    /// Now, in seconds since 1970.
    pub(crate) now: i64,
}

/// Fills the database, which the server has made its tables in, and nobody serves now.
pub(crate) async fn fill(store: &Store, links: u64, clicks: u64) -> Result<Filled> {
    let db = store.connect().await?;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let mut filling = Filling { kind: store.kind, db, links, clicks, now: now * 1_000_000, rows: Vec::new() };
    filling.prepare().await?;
    filling.plan().await?;
    let secondary = filling.drop_indexes().await?;
    filling.links().await?;
    filling.rollups().await?;
    filling.raw_clicks().await?;
    for index in secondary {
        filling.db.execute_unprepared(&index).await?;
    }
    filling.finish().await?;
    let hot = filling.ids("ORDER BY rank LIMIT 100").await?;
    let any = filling.ids(&format!("WHERE i % {} = 1 LIMIT 1000", (links / 1_000).max(1))).await?;
    filling.db.close().await?;
    Ok(Filled { rows: filling.rows, links, hot, any, now })
}

struct Filling {
    kind: Kind,
    db: DatabaseConnection,
    links: u64,
    clicks: u64,
    /// In microseconds since 1970.
    now: i64,
    rows: Vec<(&'static str, u64)>,
}

impl Filling {
    /// Nobody else is here, and all can be made again.
    async fn prepare(&self) -> Result {
        let settings = match self.kind {
            Kind::Sqlite => {
                "PRAGMA journal_mode = DELETE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; \
                 PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -524288; PRAGMA temp_store = FILE"
            }
            Kind::Postgres => {
                "SET synchronous_commit = off; SET work_mem = '256MB'; SET maintenance_work_mem = '1GB'; SET jit = off"
            }
        };
        self.db.execute_unprepared(settings).await?;
        Ok(())
    }

    /// A row for each link that is to be: its number, rank, id, time and clicks.
    async fn plan(&self) -> Result {
        let (kind, links) = (self.kind, self.links);
        if kind == Kind::Sqlite {
            let numbers = links.max(100_000);
            self.db
                .execute_unprepared(&format!(
                    "CREATE TEMP TABLE number (n INTEGER PRIMARY KEY); \
                     WITH RECURSIVE c (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {numbers}) \
                     INSERT INTO number SELECT n FROM c"
                ))
                .await?;
        }
        #[allow(clippy::cast_precision_loss)] // A sum of fractions is none the worse for it.
        let harmonic: f64 = (1..=links).map(|rank| 1.0 / rank as f64).sum();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let first = (self.clicks as f64 / harmonic) as u64;
        let made = format!("{} - ({links} - n) * {}", self.now, 365 * DAY / i64::try_from(links)?);
        let id = kind.uuid_v7("made", "(n * 2654435761) % 4294967296");
        let numbers = match kind {
            Kind::Sqlite => "number".to_owned(),
            Kind::Postgres => format!("generate_series(0::bigint, {links} - 1) AS number (n)"),
        };
        let days = kind.least("clicks", &DAYS.to_string());
        for sql in [
            "CREATE TEMP TABLE plan (i BIGINT PRIMARY KEY, rank BIGINT, link UUID, made BIGINT, clicks BIGINT, days BIGINT)"
                .to_owned(),
            format!(
                "INSERT INTO plan SELECT n, rank, {id}, made, {first} / rank, 0 FROM \
                 (SELECT n, 1 + (n * 7919 + 13) % {links} AS rank, {made} AS made FROM {numbers} WHERE n < {links}) AS l \
                 ORDER BY n"
            ),
            format!(
                "UPDATE plan SET clicks = clicks + {} - (SELECT SUM(clicks) FROM plan) \
                 WHERE i = (SELECT MIN(i) FROM plan WHERE rank = 1)",
                self.clicks
            ),
            format!("UPDATE plan SET days = {days}"),
        ] {
            self.db.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    /// Drops the indexes that are quicker made at once, and returns what makes them.
    async fn drop_indexes(&self) -> Result<Vec<String>> {
        let sql = match self.kind {
            Kind::Sqlite => {
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL \
                 AND tbl_name IN ('link', 'link_tag', 'click', 'rollup_link_day') ORDER BY name"
            }
            // A partition's index goes with that of its table, and partitions are small.
            Kind::Postgres => {
                "SELECT indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public' \
                 AND tablename IN ('link', 'link_tag', 'rollup_link_day') AND indexname NOT LIKE '%_pkey' ORDER BY 1"
            }
        };
        let mut made_by = Vec::new();
        for row in store::rows(&self.db, sql).await? {
            let name: String = row.try_get_by_index(0)?;
            made_by.push(row.try_get_by_index(1)?);
            self.db.execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        Ok(made_by)
    }

    async fn links(&mut self) -> Result {
        let (kind, now) = (self.kind, self.now);
        // Some belong to the account that made a link in the bench's own name.
        let owners = format!(
            "SELECT {} FROM link WHERE owner <> {} LIMIT 1",
            kind.uuid_text("owner"),
            kind.uuid(&format!("'{:032x}'", 0))
        );
        let member = store::rows(&self.db, &owners).await?;
        let member: String = member.first().ok_or("no link of the member is there")?.try_get_by_index(0)?;
        let (operator, member) = (kind.uuid(&format!("'{:032x}'", 0)), kind.uuid(&format!("'{member}'")));
        let number = kind.digits(6, "i");
        let target = visitors::target(0).replace("000000", &format!("' || {number} || '"));
        let tags = format!(
            "'[' || CASE WHEN i % 10 = 0 THEN '\"campaign-' || {} || '\",' ELSE '' END || \
             CASE WHEN i % 2 = 0 THEN '\"even\",' ELSE '' END || '\"team-' || {} || '\"]'",
            kind.digits(4, "i / 1000"),
            kind.digits(2, "i % 50"),
        );
        let (topic, month) = (kind.digits(3, "i % 997"), 30 * DAY);
        let changed = kind.least(&now.to_string(), &format!("made + (i * 48271 % 30) * {DAY}"));
        self.insert(
            "link",
            &format!(
                "INSERT INTO link (id, owner, domain, slug, target, target_hash, title, note, tags, redirect, starts_at, \
                 expires_at, max_visits, enabled, created_at, updated_at, version, crawlable) \
                 SELECT link, CASE WHEN i % 10 = 3 THEN {member} ELSE {operator} END, \
                 CASE WHEN i % 20 = 7 THEN '{DOMAIN}' ELSE '' END, 'b' || {number}, '{target}', \
                 (i * 2654435761) % 4294967296 * 2147483647 + i, 'Notes on topic-' || {topic} || ', part ' || i, NULL, \
                 {tags}, 302, NULL, CASE WHEN i % 10 = 5 THEN {now} + {month} END, NULL, i % 21 <> 0, made, {changed}, 1, \
                 i % 50 = 1 FROM plan ORDER BY i"
            ),
        )
        .await?;
        self.insert(
            "link_total",
            "INSERT INTO link_total (link, clicks, opening, taken) SELECT link, clicks, 0, 0 FROM plan ORDER BY i",
        )
        .await
    }

    async fn rollups(&mut self) -> Result {
        let kind = self.kind;
        let daily = self.daily();
        self.insert(
            "rollup_link_day",
            &format!("INSERT INTO rollup_link_day (link, day, clicks) SELECT link, day, clicks FROM ({daily}) AS d"),
        )
        .await?;
        let hourly = self.hourly(&daily);
        self.insert(
            "rollup_hour",
            &format!("INSERT INTO rollup_hour (link, hour, clicks) SELECT link, hour, clicks FROM ({hourly}) AS h"),
        )
        .await?;
        let all = kind.uuid(&format!("'{:032x}'", 0));
        self.insert(
            "rollup_hour of all links",
            &format!(
                "INSERT INTO rollup_hour (link, hour, clicks) SELECT {all}, hour, SUM(clicks) FROM rollup_hour GROUP BY hour"
            ),
        )
        .await?;
        let host = format!("'site-' || {} || '.example'", kind.digits(2, "(d.i + v.n) % 40"));
        let language = kind.pair(SPOKEN, "(d.i + v.n) % 12");
        let [referrers, languages] = [(REFERRERS, host), (LANGUAGES, language)].map(|(most, value)| {
            let values = kind.least("d.clicks", &most.to_string());
            kind.object(&value, &share("d.clicks", &values, "v.n"), &values, "v")
        });
        self.insert(
            "rollup_values",
            &format!(
                "INSERT INTO rollup_values (link, day, counts) SELECT d.link, d.day, \
                 '{{\"1\":' || {referrers} || ',\"2\":' || {languages} || '}}' FROM ({daily}) AS d"
            ),
        )
        .await?;
        Ok(())
    }

    /// Single clicks, day by day and in the order of time, as they come.
    async fn raw_clicks(&mut self) -> Result {
        let kind = self.kind;
        // How many clicks one row stands for, if there are more than are kept.
        let weight = self.clicks.div_ceil(u64::try_from(DAYS)? * 86_400).div_ceil(RAW_PER_SECOND);
        let kept = format!("((h.clicks + {weight} - 1) / {weight})");
        let each = kind.each(&kept, "c");
        let at = format!("h.hour * {HOUR} + (h.i * 7919131 + c.n * 104729531) % {HOUR}");
        let id = kind.uuid_v7("at", "i * 4096 + n % 4096");
        let referrer = format!(
            "CASE WHEN (i + n) % 5 > 0 THEN 'https://site-' || {} || '.example/page' END",
            kind.digits(2, "(i + n) % 40")
        );
        let chosen = |texts: &[&str]| {
            let of = |(at, text): (usize, &&str)| format!(" WHEN {at} THEN '{text}'");
            let cases: String = texts.iter().enumerate().map(of).collect();
            format!("CASE (i + n) % {}{cases} END", texts.len())
        };
        let (agent, language) = (chosen(&visitors::BROWSERS), chosen(&visitors::LANGUAGES));
        let visitor = kind.bytes(&format!("{} || {}", kind.hex(16, "i * 31 + n"), kind.hex(16, "n * 2654435761")));
        let network = kind.bytes(&kind.hex(6, "(i * 48271 + n) % 16777216"));
        for back in (1..=RAW_DAYS).rev() {
            let day = self.first_day() + DAYS - back;
            if kind == Kind::Postgres {
                let (from, to) = (day * DAY, (day + 1) * DAY);
                let partition = format!(
                    "CREATE TABLE IF NOT EXISTS click_{day} PARTITION OF click FOR VALUES FROM ({from}) TO ({to})"
                );
                self.db.execute_unprepared(&partition).await?;
            }
            let hourly = self.hourly(&self.of_day(DAYS - back));
            self.insert(
                "click",
                &format!(
                    "INSERT INTO click (link, at, id, weight, referrer, user_agent, language, visitor, network) \
                     SELECT link, at, {id}, weight, {referrer}, {agent}, {language}, {visitor}, {network} FROM \
                     (SELECT h.i, h.link, c.n, {at} AS at, \
                      CASE WHEN c.n = {kept} - 1 THEN h.clicks - c.n * {weight} ELSE {weight} END AS weight \
                      FROM ({hourly}) AS h {each}) AS k ORDER BY at"
                ),
            )
            .await?;
        }
        Ok(())
    }

    /// Link by link, its days and what it has on each.
    fn daily(&self) -> String {
        let (each, clicks) = (self.kind.each("p.days", "a"), share("p.clicks", "p.days", "a.n"));
        format!(
            "SELECT p.i, p.link, {} + (a.n * {DAYS} + p.i % {DAYS}) / p.days AS day, {clicks} AS clicks FROM plan p {each}",
            self.first_day(),
        )
    }

    /// The same of one day, the `place`th.
    fn of_day(&self, place: i64) -> String {
        format!(
            "SELECT i, link, {} AS day, {} AS clicks FROM \
             (SELECT *, ({place} * days - i % {DAYS} + {DAYS} - 1) / {DAYS} AS n FROM plan WHERE days > 0) AS p \
             WHERE n < days AND (n * {DAYS} + i % {DAYS}) / days = {place}",
            self.first_day() + place,
            share("clicks", "days", "n"),
        )
    }

    /// The hours of what has days.
    fn hourly(&self, daily: &str) -> String {
        let hours = self.kind.least("d.clicks", "24");
        let (each, clicks) = (self.kind.each(&hours, "b"), share("d.clicks", &hours, "b.n"));
        format!(
            "SELECT d.i, d.link, d.day * 24 + (b.n * 24 + (d.i * 31 + d.day * 17) % 24) / {hours} AS hour, \
             {clicks} AS clicks FROM ({daily}) AS d {each}"
        )
    }

    /// Clicks are of whole days: the last one is yesterday.
    const fn first_day(&self) -> i64 {
        self.now / DAY - DAYS
    }

    async fn insert(&mut self, table: &'static str, sql: &str) -> Result {
        let rows = self.db.execute_unprepared(sql).await?.rows_affected();
        match self.rows.iter_mut().find(|(known, _)| *known == table) {
            Some((_, sum)) => *sum += rows,
            None => self.rows.push((table, rows)),
        }
        Ok(())
    }

    /// As the database is after a while: with statistics, and no pages to be tidied up.
    async fn finish(&self) -> Result {
        let total = format!(
            "SELECT CAST(SUM(clicks) AS BIGINT) FROM rollup_hour WHERE link = {}",
            self.kind.uuid(&format!("'{:032x}'", 0))
        );
        let total: i64 = store::rows(&self.db, &total).await?.first().ok_or("no sum")?.try_get_by_index(0)?;
        if total.unsigned_abs() != self.clicks {
            return Err(format!("{} clicks were to be made, {total} are there: mend fill.rs", self.clicks).into());
        }
        let statements: &[&str] = match self.kind {
            Kind::Sqlite => &["ANALYZE", "PRAGMA journal_mode = WAL"],
            Kind::Postgres => &["VACUUM (ANALYZE)", "CHECKPOINT"],
        };
        for sql in statements {
            self.db.execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn ids(&self, which: &str) -> Result<Vec<String>> {
        let sql = format!("SELECT {} FROM plan {which}", self.kind.uuid_text("link"));
        let rows = store::rows(&self.db, &sql).await?;
        Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<std::result::Result<_, _>>()?)
    }
}

/// The `place`th part of a number, of so many that add up to it.
fn share(number: &str, parts: &str, place: &str) -> String {
    format!("({number} / {parts} + CASE WHEN {place} < {number} % {parts} THEN 1 ELSE 0 END)")
}
