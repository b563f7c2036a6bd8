//! A flag for every setting that is no secret, made of the settings' own table.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::config::{self, flag};

/// The settings given as flags.
#[derive(Debug, Default)]
pub(super) struct ConfigFlags(BTreeMap<String, String>);

impl ConfigFlags {
    /// Text by setting.
    pub(super) const fn given(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl FromArgMatches for ConfigFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in config::all().filter(|setting| !setting.secret) {
            if let Some(text) = matches.get_one::<String>(setting.name) {
                self.0.insert(setting.name.to_owned(), text.clone());
            }
        }
        Ok(())
    }
}

impl Args for ConfigFlags {
    fn augment_args(command: Command) -> Command {
        config::all().filter(|setting| !setting.secret).fold(command, |command, setting| {
            let docs = setting.docs.concat();
            let default =
                if setting.default.is_empty() { String::new() } else { format!(" [default: {}]", setting.default) };
            let docs = docs.trim();
            let first = docs.split_once(". ").map_or(docs, |(first, _)| first).trim_end_matches('.');
            let source = format!("{default} [env: {}]", setting.env);
            // Clap keeps names for as long as the program runs; there is one set of them.
            let long: &'static str = flag(setting).leak();
            command.arg(
                Arg::new(setting.name)
                    .long(long)
                    .value_name("VALUE")
                    .help(format!("{first}{source}"))
                    .long_help(format!("{docs}{source}"))
                    .global(true)
                    .help_heading("Configuration"),
            )
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
