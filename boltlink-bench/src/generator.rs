//! A load over keep-alive connections that costs itself as little as possible, and believes no answer.
//!
//! One thread takes the connections in turn: where the answer to the last request has come it looks at it, and writes the
//! next request, at once or when it is due. It never sleeps, as to wake it would cost the server, and a quick server less
//! than a slow one.

use std::{
    io::Write,
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    Result,
    connection::{Answer, Connection, field},
    kernel,
    latency::{Latencies, Waits},
    visitors::{self, Asked, Load},
};

/// How many connections there are.
const CONNECTIONS: usize = 64;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is sent to one server, and what was.
pub(crate) struct Generator {
    address: SocketAddr,
    key: String,
    load: Load,
    constant: String,
    visits: Arc<[u32]>,
    /// How many requests there were.
    asked: usize,
    /// How often each link was asked for, and answered with where it leads.
    pub(crate) sent: Vec<u64>,
}

struct Visitor {
    connection: Connection,
    /// Of a visit, what comes after the path.
    rest: String,
    /// What is not answered yet, and since when.
    asked: Option<(Asked, Instant)>,
}

/// What to ask for next.
enum Next {
    /// This link, as it was due then.
    Link(usize, Instant),
    /// Nothing is due.
    Wait,
    Over,
}

impl Generator {
    /// For the server at `address`, whose API `key` opens.
    pub(crate) fn new(address: SocketAddr, key: &str, load: Load, visits: Arc<[u32]>, links: usize) -> Self {
        let constant = visitors::constant_target();
        Self { address, key: key.to_owned(), load, constant, visits, asked: 0, sent: vec![0; links] }
    }

    /// How many clicks there are.
    pub(crate) fn clicks(&self) -> u64 {
        self.sent.iter().sum()
    }

    /// Connections of this turn: a server closes those that rest for long.
    fn connect(&self, stamped: bool) -> Result<Vec<Visitor>> {
        let host = self.address.to_string();
        let open = |number| {
            let connection = Connection::open(self.address, stamped)?;
            Ok(Visitor { connection, rest: visitors::rest(&host, number), asked: None })
        };
        (0..CONNECTIONS).map(open).collect()
    }

    /// Asks for each link once, so that the server has all of them in its cache; says how many there are.
    pub(crate) fn warm_up(&mut self) -> Result<u64> {
        let (links, now) = (self.sent.len(), Instant::now());
        let visitors = self.connect(false)?;
        self.go(visitors, |asked| if asked < links { Next::Link(asked, now) } else { Next::Over }, |_, _| ())
    }

    /// Asks for a while, each connection as soon as it has its answer (a closed loop); says how often.
    pub(crate) fn ask_for(&mut self, time: Duration) -> Result<u64> {
        let visitors = self.connect(false)?;
        let now = Instant::now();
        let (visits, first) = (self.visits.clone(), self.asked);
        let next = |asked: usize| {
            // The clock is looked at now and then only.
            if asked.is_multiple_of(CONNECTIONS) && now.elapsed() >= time {
                return Next::Over;
            }
            Next::Link(visits[(first + asked) % visits.len()] as usize, now)
        };
        self.go(visitors, next, |_, _| ())
    }

    /// Asks `rate` times a second for so many seconds, whether or not answers come (an open loop); says how long they took.
    /// If it `makes_way`, whatever else is on its core goes first: what the server stands on would wait for it otherwise.
    pub(crate) fn ask_at(&mut self, rate: f64, seconds: u64, makes_way: bool) -> Result<Waits> {
        let (visits, first) = (self.visits.clone(), self.asked);
        let time = Duration::from_secs(seconds);
        let (mut read, mut served) = (Latencies::of(time, rate), Latencies::of(time, rate));
        let visitors = self.connect(true)?;
        let begin = Instant::now();
        let next = |asked: usize| {
            let after = Duration::from_secs_f64(asked as f64 / rate);
            match begin.elapsed() {
                _ if after >= time => Next::Over,
                now if now < after => Next::Wait,
                _ => Next::Link(visits[(first + asked) % visits.len()] as usize, begin + after),
            }
        };
        let answered = |due: Instant, answer: Answer| {
            read.note(due - begin, due.elapsed());
            if let Some(served_in) = answer.served_in {
                served.note(due - begin, served_in);
            }
        };
        // On a thread of its own, which keeps its priority.
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                if makes_way {
                    kernel::make_way()?;
                }
                self.go(visitors, next, answered)
            });
            asking.join().map_err(|_| "the generator panicked")?
        })?;
        Waits::new(read, served, begin.elapsed())
    }

    /// Asks for what `next` says, by the number of the request, until it says that it is over; says how often it asked. All
    /// is answered then, and `answered` was told of each answer, and since when it was due.
    fn go(
        &mut self,
        mut visitors: Vec<Visitor>,
        mut next: impl FnMut(usize) -> Next,
        mut answered: impl FnMut(Instant, Answer),
    ) -> Result<u64> {
        let mut request = Vec::with_capacity(2048);
        let mut answer = vec![0; 256 << 10];
        let mut count = 0;
        let mut waiting = 0;
        let mut over = false;
        let mut turn = 0;
        // Whether nobody has answered since all connections were looked at last, and when somebody did.
        let (mut silent, mut heard) = (false, Instant::now());
        while !over || waiting > 0 {
            if turn == 0 {
                if !std::mem::replace(&mut silent, waiting > 0) {
                    heard = Instant::now();
                } else if heard.elapsed() > PATIENCE {
                    return Err(format!("{waiting} requests are not answered").into());
                }
            }
            let visitor = &mut visitors[turn];
            turn = (turn + 1) % CONNECTIONS;
            if let Some((asked, due)) = visitor.asked {
                let Some(received) = visitor.connection.receive(&mut answer)? else { continue };
                answered(due, received);
                silent = false;
                self.check(asked, &answer[..received.length])?;
                visitor.asked = None;
                waiting -= 1;
            }
            if over {
                continue;
            }
            let (link, due) = match next(count) {
                Next::Link(link, due) => (link, due),
                Next::Wait => continue,
                Next::Over => {
                    over = true;
                    continue;
                }
            };
            let asked = self.load.ask(self.asked, link);
            request.clear();
            self.write(asked, &visitor.rest, &mut request)?;
            visitor.connection.send(&request)?;
            visitor.asked = Some((asked, due));
            self.asked += 1;
            count += 1;
            waiting += 1;
        }
        Ok(count as u64)
    }

    fn write(&self, asked: Asked, rest: &str, request: &mut Vec<u8>) -> Result {
        let Self { address, key, .. } = self;
        match asked {
            Asked::Link(link) => write!(request, "GET /{}{rest}", visitors::slug(link))?,
            Asked::Unknown(number) => write!(request, "GET /{}{rest}", visitors::unknown_slug(number))?,
            Asked::Page => write!(
                request,
                "GET /api/v1/links?limit=20 HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n"
            )?,
            Asked::New => {
                let body = json!({ "target": visitors::constant_target() }).to_string();
                write!(
                    request,
                    "POST /api/v1/links HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
                     Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )?;
            }
        }
        Ok(())
    }

    /// Whether an answer is what it must be; counts it.
    fn check(&mut self, asked: Asked, answer: &[u8]) -> Result {
        let status: &[u8] = match asked {
            Asked::Link(_) => b"HTTP/1.1 302 ",
            Asked::Unknown(_) => b"HTTP/1.1 404 ",
            Asked::Page => b"HTTP/1.1 200 ",
            Asked::New => b"HTTP/1.1 201 ",
        };
        let mut is_right = answer.starts_with(status);
        if let Asked::Link(link) = asked {
            let own;
            let target = if self.load == Load::Constant {
                &self.constant
            } else {
                own = visitors::target(link);
                &own
            };
            is_right &= field(answer, b"location: ").is_some_and(|value| value.starts_with(target.as_bytes()));
            self.sent[link] += 1;
        }
        if is_right {
            return Ok(());
        }
        Err(format!("{asked:?} was answered with {:?}", String::from_utf8_lossy(answer)).into())
    }
}
