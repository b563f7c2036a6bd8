//! The effective configuration as a TOML file that says it all again, secrets apart.

use std::fmt::Write;

use super::{
    settings::{Config, SECTIONS},
    sources::Origin,
};

/// The configuration as a TOML file: documentation, origin and value of each setting. What is not
/// set stands in a comment, as an example; a secret is named, but not shown.
pub(crate) fn to_toml(config: &Config) -> String {
    let mut text = String::new();
    for section in SECTIONS {
        for line in section.docs {
            let _ = writeln!(text, "#{line}"); // Writing to a String cannot fail.
        }
        text.push('\n');
        for setting in section.settings {
            for line in setting.docs {
                let _ = writeln!(text, "#{line}");
            }
            let origin = config.origins.get(setting.name).unwrap_or(&Origin::Default);
            let _ = match (config.shown(setting.name), origin) {
                (Some(value), _) => writeln!(text, "{} = {value} # {origin}", setting.name),
                (None, Origin::Default) => writeln!(text, "# {} = \"{}\"", setting.name, setting.example),
                (None, _) if setting.secret => writeln!(text, "# {} is set, not shown: {origin}", setting.name),
                (None, _) => writeln!(text, "{} = \"\" # {origin}", setting.name),
            };
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}
