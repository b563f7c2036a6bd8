//! What a process writes, kept to be searched and shown.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::Child,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

/// The lines of a process's standard output and error, in the order they came.
pub(crate) struct Output {
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Output {
    /// Begins to read what `child` writes, on threads of its own: a process whose pipe is full stands
    /// still.
    pub(crate) fn of(child: &mut Child) -> Self {
        let lines = Arc::default();
        let out = child.stdout.take().map(|pipe| read(pipe, &lines));
        let err = child.stderr.take().map(|pipe| read(pipe, &lines));
        Self { readers: out.into_iter().chain(err).collect(), lines }
    }

    /// Waits until the process has closed both pipes, which it does by ending.
    pub(crate) fn finish(&mut self) {
        for reader in self.readers.drain(..) {
            // A reader that panicked has kept the lines it read.
            let _ = reader.join();
        }
    }

    /// All lines so far.
    pub(crate) fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// The local address that the process has told.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().find_map(|line| address_in(line))
    }
}

fn read(pipe: impl Read + Send + 'static, lines: &Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    let lines = Arc::clone(lines);
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    })
}

/// The address in the first `http://127.0.0.1:PORT` of a line, whatever is around it.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://127.0.0.1:")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let port: u16 = rest[..end].parse().ok()?;
    (port != 0).then(|| SocketAddr::from(([127, 0, 0, 1], port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_text_and_in_json() {
        let address = SocketAddr::from(([127, 0, 0, 1], 41_234));
        for line in [
            "listening on http://127.0.0.1:41234",
            "  curl http://127.0.0.1:41234/api/v1/links -d …",
            r#"{"level":"INFO","fields":{"message":"listening","url":"http://127.0.0.1:41234"}}"#,
        ] {
            assert_eq!(address_in(line), Some(address), "{line}");
        }
        for line in
            ["", "https://127.0.0.1:41234", "http://127.0.0.1:", "http://127.0.0.1:0/", "http://127.0.0.1:99999"]
        {
            assert_eq!(address_in(line), None, "{line}");
        }
    }
}
