//! A closed loop over keep-alive connections that costs itself as little as possible, and believes no answer.
//!
//! One thread takes the connections in turn: where the answer to the last request has come it looks at it, and writes the
//! next request. It never sleeps, as to wake it would cost the server, and a quick server less than a slow one.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use crate::{Result, visitors};

/// How many connections there are.
const CONNECTIONS: usize = 64;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is expected of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A redirect to the link's own target.
    Target,
    /// A redirect, always the same.
    Constant,
}

/// What is sent to one server, and what was.
pub(crate) struct Generator {
    address: SocketAddr,
    visits: std::sync::Arc<[u32]>,
    next: usize,
    expected: Expected,
    constant: String,
    /// How often each link was asked for, and answered.
    pub(crate) sent: Vec<u64>,
}

struct Connection {
    stream: TcpStream,
    rest: String,
    /// The link that was asked for last.
    asked: usize,
}

impl Generator {
    pub(crate) fn new(
        address: SocketAddr,
        (visits, links): (std::sync::Arc<[u32]>, usize),
        expected: Expected,
    ) -> Self {
        let constant = visitors::constant_target();
        Self { address, visits, next: 0, expected, constant, sent: vec![0; links] }
    }

    /// Connections of this turn: a server closes those that rest for long.
    fn connect(&self) -> Result<Vec<Connection>> {
        let host = self.address.to_string();
        let open = |number| {
            let stream = TcpStream::connect(self.address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(Connection { stream, rest: visitors::rest(&host, number), asked: 0 })
        };
        (0..CONNECTIONS).map(open).collect()
    }

    /// Follows each link once, so that the server has all of them in its cache.
    pub(crate) fn warm_up(&mut self) -> Result {
        let links = self.sent.len();
        self.go(|asked| (asked < links).then_some(asked)).map(drop)
    }

    /// Follows links for a while; says how many.
    pub(crate) fn visit_for(&mut self, time: Duration) -> Result<u64> {
        let end = Instant::now() + time;
        let visits = self.visits.clone();
        let first = self.next;
        let asked = self.go(|asked| {
            // The clock is looked at now and then only.
            let goes_on = asked % CONNECTIONS != 0 || Instant::now() < end;
            goes_on.then(|| visits[(first + asked) % visits.len()] as usize)
        })?;
        self.next = (first + asked) % self.visits.len();
        Ok(asked as u64)
    }

    /// Asks for what `link` says, by the number of the request, until it says nothing; says how many were asked for. All
    /// are answered then.
    fn go(&mut self, mut link: impl FnMut(usize) -> Option<usize>) -> Result<usize> {
        let mut connections = self.connect()?;
        let mut request = Vec::with_capacity(2048);
        let mut answer = [0; 4096];
        let mut asked = 0;
        let mut waiting = 0;
        let mut over = false;
        let mut turn = 0;
        let mut heard = Instant::now();
        while !over || waiting > 0 {
            let connection = &mut connections[turn];
            turn = (turn + 1) % CONNECTIONS;
            if connection.asked > 0 {
                let number = connection.asked - 1;
                let Some(length) = connection.read(&mut answer)? else {
                    if turn == 0 && heard.elapsed() > PATIENCE {
                        return Err("the server does not answer".into());
                    }
                    continue;
                };
                if turn == 0 {
                    heard = Instant::now();
                }
                let target;
                let location = match self.expected {
                    Expected::Target => {
                        target = visitors::target(number);
                        &target
                    }
                    Expected::Constant => &self.constant,
                };
                check(&answer[..length], location)?;
                self.sent[number] += 1;
                connection.asked = 0;
                waiting -= 1;
            }
            if over {
                continue;
            }
            let Some(next) = link(asked) else {
                over = true;
                continue;
            };
            request.clear();
            write!(request, "GET /{}{}", visitors::slug(next), connection.rest)?;
            connection.stream.write_all(&request)?;
            connection.asked = next + 1;
            asked += 1;
            waiting += 1;
        }
        Ok(asked)
    }
}

impl Connection {
    /// Reads one answer, if it has come.
    fn read(&mut self, answer: &mut [u8]) -> Result<Option<usize>> {
        let mut length = 0;
        loop {
            match self.stream.read(&mut answer[length..]) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(read) => length += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if length == 0 {
                        return Ok(None);
                    }
                    // The rest is on its way.
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            // Redirects have no body.
            if answer[..length].windows(4).rev().any(|end| end == b"\r\n\r\n") {
                return Ok(Some(length));
            }
        }
    }
}

/// Whether an answer is what it must be.
fn check(answer: &[u8], location: &str) -> Result {
    let at = answer.windows(10).position(|name| name.eq_ignore_ascii_case(b"location: "));
    let told = at.is_some_and(|at| answer[at + 10..].starts_with(location.as_bytes()));
    if answer.starts_with(b"HTTP/1.1 302 ") && told {
        return Ok(());
    }
    Err(format!("a request was answered with {:?}", String::from_utf8_lossy(answer)).into())
}
