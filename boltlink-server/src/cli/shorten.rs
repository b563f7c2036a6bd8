//! `boltlink shorten URL`

use std::process::ExitCode;

use boltlink_core::{Actor, NewLink, TargetUrl};

use super::{
    engine::{self, Site},
    failure::{Failure, print},
};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the short link leads, such as https://example.com/page.
    url: String,
    /// What comes after the host. Without it: seven random characters.
    #[arg(long, value_name = "SLUG")]
    slug: Option<String>,
    /// The host it lives under: the default one, or one of the domains in the configuration.
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
}

pub(super) async fn run(config: &Config, args: Args) -> Result<ExitCode, Failure> {
    let site = Site::new(config);
    let target =
        TargetUrl::parse(&args.url, &site.rules).map_err(|error| Failure::new(format_args!("the URL {error}")))?;
    let mut new = NewLink::to(target);
    if let Some(slug) = &args.slug {
        let slug = site.slugs.parse(slug).map_err(|error| Failure::new(format_args!("--slug {error}")))?;
        new.slug = Some(slug);
    }
    if let Some(domain) = &args.domain {
        new.domain = site.domain(domain).map_err(|error| Failure::new(format_args!("--domain: {error}")))?;
    }
    let opened = engine::open(config).await?;
    let made = opened.shortener.create(&Actor::OPERATOR, new).await;
    opened.close().await;
    let link = made?.link;
    print(&format!("{}\n", site.hosts.short_url(&link.domain, &link.slug)))?;
    Ok(ExitCode::SUCCESS)
}
