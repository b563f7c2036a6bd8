//! One raw connection: for thousands of requests a second beside the server on two cores, and to
//! know of each whether its answer came whole.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// A kept-alive HTTP/1.1 connection with at most one request under way.
pub struct Connection {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
    line: Vec<u8>,
}

/// A complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers: names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Connection {
    /// Connects to a server.
    ///
    /// # Errors
    /// If nothing listens there.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), address, line: Vec::new() })
    }

    /// Sends `GET` of `path` with these headers, beside `Host`, and waits for the answer.
    ///
    /// # Errors
    /// If the connection breaks before the answer is complete; the server may have seen the request.
    /// The connection is of no more use then.
    pub async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> io::Result<Answer> {
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        self.exchange(request.as_bytes()).await
    }

    /// Sends these bytes, which are one whole request but no `HEAD`, and waits for the answer.
    ///
    /// # Errors
    /// As [`Connection::get`].
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        let status = self.read_status().await?;
        let headers = self.read_headers().await?;
        let mut answer = Answer { status, headers, body: Vec::new() };
        answer.body.resize(body_length(&answer)?, 0);
        self.stream.read_exact(&mut answer.body).await?;
        Ok(answer)
    }

    async fn read_status(&mut self) -> io::Result<u16> {
        let line = self.read_line().await?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        status.ok_or_else(|| malformed(line))
    }

    async fn read_headers(&mut self) -> io::Result<Vec<(String, String)>> {
        let mut headers = Vec::new();
        loop {
            let line = self.read_line().await?;
            if line.is_empty() {
                return Ok(headers);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| malformed(line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads a line of the head, without its end.
    async fn read_line(&mut self) -> io::Result<&str> {
        self.line.clear();
        self.stream.read_until(b'\n', &mut self.line).await?;
        // Without its end the line was cut off, or never came.
        let line = self.line.strip_suffix(b"\r\n").ok_or(ErrorKind::UnexpectedEof)?;
        str::from_utf8(line).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }
}

/// How long the body is. Every answer of the server says so.
fn body_length(answer: &Answer) -> io::Result<usize> {
    match (answer.header("content-length"), answer.status) {
        (Some(length), _) => length.parse().map_err(|_| malformed(length)),
        (None, 204 | 304) => Ok(0),
        (None, status) => Err(malformed(&format!("an answer {status} without Content-Length"))),
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("not understood: {what}"))
}
