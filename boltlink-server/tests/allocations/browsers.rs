//! Browsers that follow a link again and again, and allocate nothing for it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

/// So many have a connection each, which is kept alive.
pub(crate) const COUNT: usize = 16;

pub(crate) struct Browsers {
    streams: Vec<TcpStream>,
    request: String,
    /// What every answer must have.
    location: String,
}

impl Browsers {
    pub(crate) fn connect(address: SocketAddr, target: &str) -> Self {
        let connect = || {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            stream
        };
        let request = format!(
            "GET /b000000 HTTP/1.1\r\nHost: {address}\r\nConnection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\n\
             User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/142.0.0.0 Safari/537.36\r\n\
             Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
             Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\
             Referer: https://www.google.com/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
             Accept-Language: en-US,en;q=0.9\r\n\r\n"
        );
        let location = format!("\r\nlocation: {target}\r\n");
        Self { streams: (0..COUNT).map(|_| connect()).collect(), request, location }
    }

    /// Each asks once its last answer is there: all at the same time, so that the server has work for more than one.
    pub(crate) fn follow(&mut self, rounds: u64) {
        let mut answer = [0; 1024];
        for _ in 0..rounds {
            for stream in &mut self.streams {
                stream.write_all(self.request.as_bytes()).unwrap();
            }
            for stream in &mut self.streams {
                let mut len = 0;
                while !answer[..len].ends_with(b"\r\n\r\n") {
                    let read = stream.read(&mut answer[len..]).unwrap();
                    assert!(read > 0, "the connection was closed");
                    len += read;
                }
                let answer = std::str::from_utf8(&answer[..len]).unwrap();
                assert!(answer.starts_with("HTTP/1.1 302 Found\r\n") && answer.contains(&self.location), "{answer}");
            }
        }
    }
}
