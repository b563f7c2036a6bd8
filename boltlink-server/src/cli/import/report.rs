//! Where a person finds what was not imported as it stood in the file.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::progress::Progress;
use crate::cli::failure::Failure;

/// Lines such as `line 12: slug: is reserved`.
pub(super) struct Report {
    place: Place,
    progress: Progress,
}

enum Place {
    /// A file that is made when there is something to say.
    Beside(PathBuf),
    File(PathBuf, BufWriter<File>),
    Terminal,
}

impl Report {
    /// `asked` names a file, which is made at once; else it is one beside the input, or standard
    /// error where the input is none.
    pub(super) fn new(asked: Option<&Path>, input: &str, progress: Progress) -> Result<Self, Failure> {
        let place = match asked {
            Some(path) => {
                let file = File::create(path).map_err(|error| {
                    Failure::new(format_args!("cannot write --rejects {}: {error}", path.display()))
                })?;
                Place::File(path.to_owned(), BufWriter::new(file))
            }
            None if input == "-" => Place::Terminal,
            None => {
                let path = PathBuf::from(format!("{input}.rejects.txt"));
                // What an earlier import said of the file may hold no longer. There is none, mostly.
                let _ = std::fs::remove_file(&path);
                Place::Beside(path)
            }
        };
        Ok(Self { place, progress })
    }

    /// Adds a line.
    pub(super) fn tell(&mut self, line: &str) -> Result<(), Failure> {
        if let Place::Beside(path) = &mut self.place {
            let path = std::mem::take(path);
            self.place = match File::create(&path) {
                Ok(file) => Place::File(path, BufWriter::new(file)),
                // Nobody asked for this file: a folder that is read-only is no reason to stop.
                Err(_) => Place::Terminal,
            };
        }
        match &mut self.place {
            Place::File(_, file) => writeln!(file, "{line}"),
            _ => self.progress.aside(|| writeln!(io::stderr(), "{line}")),
        }
        .map_err(cannot)
    }

    /// Finishes; the file, if there is one that was written to.
    pub(super) fn finish(self) -> Result<Option<PathBuf>, Failure> {
        match self.place {
            Place::File(path, mut file) => file.flush().map(|()| Some(path)).map_err(cannot),
            Place::Beside(_) | Place::Terminal => Ok(None),
        }
    }
}

fn cannot(error: io::Error) -> Failure {
    Failure::new(format_args!("cannot write the rejected lines: {error}"))
}
