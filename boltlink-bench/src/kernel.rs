//! What the kernel is asked for: its note of when bytes came, as a program that waits for its core looks at the clock too
//! late, and to let others go first.

#[cfg(target_os = "linux")]
pub(crate) use linux::{Stamps, make_way};
#[cfg(not(target_os = "linux"))]
pub(crate) use nowhere::{Stamps, make_way};

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        io::{self, IoSliceMut},
        net::TcpStream,
        os::fd::AsRawFd,
        time::{Duration, SystemTime},
    };

    use nix::{
        cmsg_space,
        sys::{
            socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns},
            time::TimeSpec,
        },
    };

    /// The lowest priority.
    const LOWEST: i32 = 19;

    /// Lets others go first, wherever the calling thread never sleeps.
    pub(crate) fn make_way() -> io::Result<()> {
        // The process by its name, the thread by what Linux does.
        Ok(rustix::process::setpriority_process(None, LOWEST)?)
    }

    /// What a socket was asked to tell.
    ///
    /// <https://www.kernel.org/doc/html/latest/networking/timestamping.html>
    pub(crate) struct Stamps {
        room: Vec<u8>,
    }

    impl Stamps {
        pub(crate) fn ask(stream: &TcpStream) -> io::Result<Self> {
            setsockopt(stream, ReceiveTimestampns, &true)?;
            Ok(Self { room: cmsg_space!(TimeSpec) })
        }

        /// As `read`, with the time at which the last of what is read came.
        pub(crate) fn receive(
            &mut self,
            stream: &TcpStream,
            buffer: &mut [u8],
        ) -> io::Result<(usize, Option<SystemTime>)> {
            let mut into = [IoSliceMut::new(buffer)];
            let got = recvmsg::<()>(stream.as_raw_fd(), &mut into, Some(&mut self.room), MsgFlags::empty())?;
            let came = got.cmsgs()?.find_map(|told| match told {
                ControlMessageOwned::ScmTimestampns(since) => Some(SystemTime::UNIX_EPOCH + Duration::from(since)),
                _ => None,
            });
            Ok((got.bytes, came))
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod nowhere {
    use std::{io, net::TcpStream, time::SystemTime};

    pub(crate) fn make_way() -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// There are none.
    pub(crate) enum Stamps {}

    impl Stamps {
        pub(crate) fn ask(_: &TcpStream) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn receive(&mut self, _: &TcpStream, _: &mut [u8]) -> io::Result<(usize, Option<SystemTime>)> {
            match *self {}
        }
    }
}
