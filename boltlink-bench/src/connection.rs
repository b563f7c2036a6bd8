//! A keep-alive connection to a server, whose kernel may tell when an answer came.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, SystemTime},
};

use crate::{Result, kernel::Stamps};

pub(crate) struct Connection {
    stream: TcpStream,
    stamps: Option<Stamps>,
    sent: SystemTime,
}

/// An answer that is here.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) length: usize,
    /// From when the request was sent until the kernel had the last of it, however late it is read. `None` if the kernel was
    /// not asked, or the clock was set back.
    pub(crate) served_in: Option<Duration>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, stamped: bool) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let stamps = stamped.then(|| Stamps::ask(&stream)).transpose()?;
        Ok(Self { stream, stamps, sent: SystemTime::UNIX_EPOCH })
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> Result {
        if self.stamps.is_some() {
            self.sent = SystemTime::now();
        }
        Ok(self.stream.write_all(request)?)
    }

    /// Reads one answer, if it has come.
    pub(crate) fn receive(&mut self, answer: &mut [u8]) -> Result<Option<Answer>> {
        let mut length = 0;
        loop {
            let (read, came) = match self.read(&mut answer[length..]) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if length == 0 {
                        return Ok(None);
                    }
                    // The rest is on its way.
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if read == 0 {
                return Err("the server closed a connection".into());
            }
            length += read;
            if is_whole(&answer[..length]) {
                let served_in = came.and_then(|came| came.duration_since(self.sent).ok());
                return Ok(Some(Answer { length, served_in }));
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<(usize, Option<SystemTime>)> {
        match &mut self.stamps {
            Some(stamps) => stamps.receive(&self.stream, buffer),
            None => Ok((self.stream.read(buffer)?, None)),
        }
    }
}

/// Whether an answer is here with its body.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return false };
    let digits = field(&answer[..end + 2], b"content-length: ").unwrap_or_default().iter();
    let length = digits.take_while(|digit| digit.is_ascii_digit());
    let length = length.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    answer.len() >= end + 4 + length
}

/// What comes after the name of a header, written with its colon and a blank.
pub(crate) fn field<'a>(answer: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = answer.windows(name.len()).position(|there| there.eq_ignore_ascii_case(name))?;
    Some(&answer[at + name.len()..])
}
