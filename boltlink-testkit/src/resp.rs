//! The few words of Redis' protocol that a test's server needs.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use tokio::task::spawn_blocking;
use url::Url;

use crate::error::Error;

/// How long an answer may take: also that to `SAVE`.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends a command of words to the server at `url`, and returns the first line of the answer.
pub(crate) async fn ask(url: &str, command: &[&str]) -> Result<String, Error> {
    let shown = command.iter().take(3).copied().collect::<Vec<_>>().join(" ");
    let url = Url::parse(url).map_err(|error| Error::new(error.to_string()))?;
    let command: Vec<_> = command.iter().map(|word| (*word).to_owned()).collect();
    let answer = spawn_blocking(move || {
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        call(&url, &command)
    });
    let answer = answer.await.map_err(|error| Error::new(error.to_string()))?;
    answer.map_err(|error| Error::new(format!("{shown}: {error}")))
}

/// Sends one command after the address' password, and returns the first line of the answer, such as
/// `+PONG`. It blocks: call it from a thread that may.
pub(crate) fn call(server: &Url, command: &[&str]) -> io::Result<String> {
    let host = server.host_str().unwrap_or("127.0.0.1");
    let stream = TcpStream::connect((host, server.port().unwrap_or(6379)))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut stream = BufReader::new(stream);
    if let Some(password) = server.password() {
        let user = if server.username().is_empty() { "default" } else { server.username() };
        exchange(&mut stream, &["AUTH", user, password])?;
    }
    exchange(&mut stream, command)
}

fn exchange(stream: &mut BufReader<TcpStream>, command: &[&str]) -> io::Result<String> {
    let mut request = format!("*{}\r\n", command.len());
    for word in command {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.get_mut().write_all(request.as_bytes())?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let line = line.trim_end();
    match line.chars().next() {
        None => Err(io::ErrorKind::UnexpectedEof.into()),
        Some('-') => Err(io::Error::other(line.to_owned())),
        Some(_) => Ok(line.to_owned()),
    }
}
