//! What visitors notice while others attack, and what memory the server takes meanwhile: `cargo build --release && cargo
//! bench --bench siege`.
//!
//! One visitor follows a link again and again; quiet seconds and attacks take turns, so that each attack is compared with
//! the quiet right before it. The attackers come from an address each, as the limits by address would stop them early.

#[cfg(unix)]
mod unix {
    use std::{
        collections::BTreeMap,
        io::{Read, Write},
        net::SocketAddr,
        time::Duration,
    };

    use boltlink_testkit::{Connection, Server, usage};
    use serde_json::{Value, json};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        task::JoinSet,
        time::{Instant, sleep, timeout},
    };

    type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

    /// How long each is observed.
    const OBSERVED: Duration = Duration::from_secs(5);
    const ROUNDS: usize = 3;
    /// Between two visits.
    const PAUSE: Duration = Duration::from_millis(1);
    /// How many attack at once.
    const PARALLEL: usize = 200;

    /// What attackers do, and what they send.
    #[derive(Clone, Copy)]
    struct Attack {
        name: &'static str,
        requests: fn(address: SocketAddr, number: usize) -> Vec<u8>,
        /// Whether an answer is waited for, and another request sent then; else what was sent is all.
        answered: bool,
    }

    const ATTACKS: &[Attack] = &[
        Attack {
            name: "logins, no such account",
            requests: |to, number| login(to, number, "nobody@example.com"),
            answered: true,
        },
        Attack {
            name: "logins, an account",
            requests: |to, number| login(to, number, "ada@example.com"),
            answered: true,
        },
        Attack { name: "passwords of a link", requests: unlock, answered: true },
        Attack { name: "made-up API keys", requests: made_up_key, answered: true },
        Attack { name: "links that do not exist", requests: unknown_link, answered: true },
        Attack { name: "half a head", requests: half_a_head, answered: false },
        Attack { name: "half a body", requests: half_a_body, answered: false },
    ];

    fn from(number: usize) -> String {
        format!("X-Forwarded-For: 10.{}.{}.{}\r\n", number >> 16 & 255, number >> 8 & 255, number & 255)
    }

    fn post(to: SocketAddr, number: usize, path: &str, kind: &str, body: &str) -> Vec<u8> {
        let (from, length) = (from(number), body.len());
        format!(
            "POST {path} HTTP/1.1\r\nHost: {to}\r\n{from}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    fn login(to: SocketAddr, number: usize, email: &str) -> Vec<u8> {
        // Of one account only few attempts are let in; so each tries another, but for what is meant to be one.
        let email = if email.starts_with("nobody") { format!("{number}-{email}") } else { email.to_owned() };
        let body = json!({ "email": email, "password": "correct horse battery staple" }).to_string();
        post(to, number, "/api/v1/session", "application/json", &body)
    }

    fn unlock(to: SocketAddr, number: usize) -> Vec<u8> {
        post(to, number, "/locked", "application/x-www-form-urlencoded", "password=guess")
    }

    fn made_up_key(to: SocketAddr, number: usize) -> Vec<u8> {
        let (from, key) = (from(number), format!("blt_{number:032x}_{number:064x}"));
        format!("GET /api/v1/links HTTP/1.1\r\nHost: {to}\r\n{from}Authorization: Bearer {key}\r\n\r\n").into_bytes()
    }

    fn unknown_link(to: SocketAddr, number: usize) -> Vec<u8> {
        format!("GET /none-{number} HTTP/1.1\r\nHost: {to}\r\n{}\r\n", from(number)).into_bytes()
    }

    fn half_a_head(to: SocketAddr, _: usize) -> Vec<u8> {
        format!("GET /kept HTTP/1.1\r\nHost: {to}\r\nX-Slow: ").into_bytes()
    }

    fn half_a_body(to: SocketAddr, _: usize) -> Vec<u8> {
        let mut request = post(to, 0, "/api/v1/session", "application/json", "{\"email\": \"nobody@example.com\"");
        request.truncate(request.len() - 5);
        request
    }

    pub(crate) async fn run() -> Outcome<()> {
        let server = Server::builder(Server::built_beside()?)
            .env("BOLTLINK_TRUSTED_PROXIES", "127.0.0.0/8")
            .env("BOLTLINK_REGISTRATION", "open")
            .start()
            .await?;
        let client = server.client();
        for link in [json!({ "slug": "kept" }), json!({ "slug": "locked", "password": "sesame" })] {
            let mut link = link;
            link["target"] = Value::from("https://example.com/");
            client.make(&link).await?;
        }
        let account = json!({ "email": "ada@example.com", "password": "a wholly different phrase" });
        client.send(client.request("POST".parse()?, "/api/v1/registrations").json(&account)).await?.expect(201)?;
        observe(server.address(), Duration::from_secs(1)).await?;

        println!(
            "{:<26} {:>10} {:>10} {:>10} {:>10} {:>8} {:>8} {:>9}  answers",
            "attack", "p50 quiet", "p50", "p99 quiet", "p99", "p50 ×", "p99 ×", "RSS, MB"
        );
        println!("{:<26} {:>79}", "none", format!("{:.1}", rss(server.pid())?));
        for attack in ATTACKS {
            let (mut quiet, mut attacked) = (Vec::new(), Vec::new());
            let mut answers = BTreeMap::<u16, usize>::new();
            for round in 0..ROUNDS {
                quiet.extend(observe(server.address(), OBSERVED).await?);
                let mut attackers = JoinSet::new();
                for number in 0..PARALLEL {
                    attackers.spawn(attack_with(*attack, server.address(), (round << 12) + number));
                }
                sleep(Duration::from_millis(500)).await;
                attacked.extend(observe(server.address(), OBSERVED).await?);
                for tally in attackers.join_all().await {
                    for (status, count) in tally {
                        *answers.entry(status).or_default() += count;
                    }
                }
            }
            let [q50, q99] = percentiles(&mut quiet);
            let [a50, a99] = percentiles(&mut attacked);
            println!(
                "{:<26} {:>7} µs {:>7} µs {:>7} µs {:>7} µs {:>8.1} {:>8.1} {:>9.1}  {answers:?}",
                attack.name,
                q50.as_micros(),
                a50.as_micros(),
                q99.as_micros(),
                a99.as_micros(),
                a50.as_secs_f64() / q50.as_secs_f64(),
                a99.as_secs_f64() / q99.as_secs_f64(),
                rss(server.pid())?,
            );
        }
        sleep(Duration::from_secs(5)).await;
        println!("{:<26} {:>79}", "after all", format!("{:.1}", rss(server.pid())?));
        Ok(())
    }

    /// Attacks for as long as it is observed; says what was answered.
    async fn attack_with(attack: Attack, to: SocketAddr, first: usize) -> BTreeMap<u16, usize> {
        let end = Instant::now() + OBSERVED + Duration::from_secs(1);
        let mut answers = BTreeMap::new();
        let mut number = first;
        while Instant::now() < end {
            let attack = async {
                if !attack.answered {
                    let mut stream = TcpStream::connect(to).await?;
                    stream.write_all(&(attack.requests)(to, number)).await?;
                    let mut rest = Vec::new();
                    stream.read_to_end(&mut rest).await?;
                    return Ok::<_, std::io::Error>(());
                }
                let mut connection = Connection::open(to).await?;
                loop {
                    let answer = connection.exchange(&(attack.requests)(to, number)).await?;
                    *answers.entry(answer.status).or_default() += 1;
                    number += PARALLEL;
                }
            };
            // A connection that the server closes is opened again.
            let _ = timeout(end - Instant::now(), attack).await;
        }
        answers
    }

    /// Follows the link for a while; says how long each answer took. On a thread of its own: among the attackers' tasks the
    /// visitor would wait for them.
    async fn observe(to: SocketAddr, time: Duration) -> Outcome<Vec<Duration>> {
        tokio::task::spawn_blocking(move || follow(to, time)).await?
    }

    fn follow(to: SocketAddr, time: Duration) -> Outcome<Vec<Duration>> {
        let mut stream = std::net::TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        let request = format!("GET /kept HTTP/1.1\r\nHost: {to}\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
        let end = Instant::now() + time;
        let mut taken = Vec::new();
        let mut answer = [0; 4096];
        while Instant::now() < end {
            let begin = Instant::now();
            stream.write_all(request.as_bytes())?;
            // It is small, and comes in one piece.
            let length = stream.read(&mut answer)?;
            taken.push(begin.elapsed());
            if !answer[..length].starts_with(b"HTTP/1.1 302 ") {
                return Err(
                    format!("a visit was answered with {:?}", String::from_utf8_lossy(&answer[..length])).into()
                );
            }
            std::thread::sleep(PAUSE);
        }
        Ok(taken)
    }

    fn percentiles(taken: &mut [Duration]) -> [Duration; 2] {
        taken.sort_unstable();
        [50, 99].map(|percent| taken[taken.len() * percent / 100])
    }

    /// What memory the server has now, in megabytes.
    fn rss(pid: u32) -> Outcome<f64> {
        Ok(usage::memory(pid)? as f64 / 1_048_576.0)
    }
}

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    unix::run().await
}

#[cfg(not(unix))]
fn main() {}
