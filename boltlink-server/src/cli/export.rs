//! `boltlink export`

use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use boltlink_core::{
    Actor, Shortener,
    store::{LinkFilter, LinkOrder},
};

use super::{
    engine::{self, Site},
    failure::Failure,
    record,
};
use crate::config::Config;

/// Links in memory at a time.
const PAGE: u32 = 500;

pub(super) async fn run(config: &Config) -> Result<ExitCode, Failure> {
    let opened = engine::open_existing(config).await?;
    let written = write_all(&opened.shortener, &Site::new(config)).await;
    opened.close().await;
    written.map(|()| ExitCode::SUCCESS)
}

async fn write_all(shortener: &Shortener, site: &Site) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout());
    let mut after = None;
    loop {
        let page = shortener.list(&Actor::OPERATOR, LinkFilter::default(), LinkOrder::Newest, after, PAGE).await?;
        for link in &page.links {
            writeln!(out, "{}", record::write(link, site))?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(out.flush()?);
        }
    }
}
