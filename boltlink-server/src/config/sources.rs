//! Where settings come from: defaults < file < environment < flags.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{
    Problem,
    settings::{self, Setting},
    value::Value,
};

/// Everything a configuration is made of; nothing else is looked at.
pub(crate) struct Input<'a> {
    /// The configuration file: its name, and its text.
    pub(crate) file: Option<(&'a Path, &'a str)>,
    /// Environment variables.
    pub(crate) env: &'a BTreeMap<String, String>,
    /// Flags that were given, by the name of their setting.
    pub(crate) flags: &'a BTreeMap<String, String>,
    /// Reads the file that a `…_FILE` variable names.
    pub(crate) read: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was not said.
    Default,
    /// A line of the configuration file.
    File(PathBuf, usize),
    /// An environment variable.
    Env(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{} line {line}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// The origin of each setting that has a value.
pub(crate) type Origins = BTreeMap<&'static str, Origin>;

/// The winning text of each setting, and what was found wrong on the way.
pub(super) struct Sources<'a> {
    texts: BTreeMap<&'static str, (String, Origin)>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Sources<'a> {
    /// Looks everywhere, weakest source first.
    pub(super) fn collect(input: &Input<'_>, problems: &'a mut Vec<Problem>) -> Self {
        let mut sources = Self { texts: BTreeMap::new(), problems };
        for setting in settings::all() {
            sources.texts.insert(setting.name, (setting.default.to_owned(), Origin::Default));
        }
        if let Some((path, text)) = input.file {
            sources.add_file(path, text);
        }
        for setting in settings::all() {
            sources.add_env(setting, input);
            if let Some(text) = input.flags.get(setting.name) {
                sources.texts.insert(setting.name, (text.clone(), Origin::Flag(flag(setting))));
            }
        }
        sources
    }

    /// The value of a setting; `None`, and a problem noted, if its text is wrong.
    pub(super) fn read<V: Value>(&mut self, name: &'static str) -> Option<V> {
        let (text, origin) = self.texts.get(name)?;
        let wrong = match V::parse(text) {
            Ok(value) => return Some(value),
            Err(wrong) => wrong,
        };
        let example = settings::all().find(|setting| setting.name == name).map_or("", |setting| setting.example);
        self.problems.push(Problem {
            key: name.to_owned(),
            origin: origin.clone(),
            what: wrong.what,
            fix: wrong.fix.unwrap_or_else(|| format!("give a value such as {example}")),
        });
        None
    }

    /// The value of a setting if it is right.
    pub(super) fn peek<V: Value>(&self, name: &str) -> Option<V> {
        self.texts.get(name).and_then(|(text, _)| V::parse(text).ok())
    }

    /// Where a setting's value came from.
    pub(super) fn origin(&self, name: &str) -> Origin {
        self.texts.get(name).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// Where each value came from.
    pub(super) fn origins(&self) -> Origins {
        self.texts.iter().map(|(name, (_, origin))| (*name, origin.clone())).collect()
    }

    fn add_file(&mut self, path: &Path, text: &str) {
        let line_of = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            // Not the error's own text: it repeats the line, which may hold a secret.
            self.problems.push(Problem {
                key: "syntax".into(),
                origin: Origin::File(path.into(), line_of(error.span().map_or(0, |span| span.start))),
                what: error.message().lines().next().unwrap_or("is not TOML").to_owned(),
                fix: "write one key = \"value\" a line; --print-config prints an example".into(),
            });
        }
        for (key, value) in table.get_ref().iter() {
            let origin = Origin::File(path.into(), line_of(key.span().start));
            let Some(setting) = settings::all().find(|setting| setting.name == key.get_ref().as_ref()) else {
                let known: Vec<_> = settings::all().map(|setting| setting.name).collect();
                self.problems.push(Problem {
                    key: key.get_ref().to_string(),
                    origin,
                    what: "is no setting".into(),
                    fix: format!("remove it, or use one of {}", known.join(", ")),
                });
                continue;
            };
            match plain(value.get_ref()) {
                Some(text) => {
                    self.texts.insert(setting.name, (text, origin));
                }
                None => self.problems.push(Problem {
                    key: setting.name.into(),
                    origin,
                    what: format!("must be a text, not a TOML {}", value.get_ref().type_str()),
                    fix: format!("write {} = \"{}\"", setting.name, setting.example),
                }),
            }
        }
    }

    /// An empty variable counts as none, as most tools that pass variables on cannot unset them.
    /// Unknown ones are nobody's business: Kubernetes makes some of its own for a service's name.
    fn add_env(&mut self, setting: &'static Setting, input: &Input<'_>) {
        let given = |name: &str| input.env.get(name).filter(|text| !text.is_empty());
        let direct = given(setting.env);
        if let Some(text) = direct {
            self.texts.insert(setting.name, (text.clone(), Origin::Env(setting.env.into())));
        }
        let file_variable = format!("{}_FILE", setting.env);
        let Some(path) = given(&file_variable).filter(|_| setting.secret) else { return };
        let origin = Origin::Env(file_variable.clone());
        let mut refuse = |what: String, fix: String| {
            self.problems.push(Problem { key: setting.name.into(), origin: origin.clone(), what, fix });
        };
        if direct.is_some() {
            refuse(
                format!("is given together with {}: one of them must be meant", setting.env),
                format!("unset {} or {file_variable}", setting.env),
            );
            return;
        }
        match (input.read)(Path::new(path)) {
            Ok(text) if text.trim().is_empty() => {
                refuse(format!("names {path}, which is empty"), "write the secret into that file".into());
            }
            Ok(text) => {
                self.texts.insert(setting.name, (text.trim().to_owned(), origin));
            }
            Err(error) => refuse(
                format!("names {path}, which cannot be read: {error}"),
                "give the path of a readable file".into(),
            ),
        }
    }
}

/// The name of a setting's flag.
pub(crate) fn flag(setting: &Setting) -> String {
    setting.name.replace('_', "-")
}

/// A TOML value as the text that would stand in a variable: lists with commas.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            Some(items?.join(","))
        }
        _ => None,
    }
}
