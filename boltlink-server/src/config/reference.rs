//! All settings as a page of the documentation.

use std::fmt::Write;

use super::{settings::SECTIONS, sources::flag};

/// `docs/configuration.md`, of which a test sees to it that it is this.
pub(crate) fn to_markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    for section in SECTIONS {
        let about = joined(section.docs);
        let (title, _) = about.split_once(':').unwrap_or((&about, ""));
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## {title}\n\n{about}\n");
        for setting in section.settings {
            let name = setting.name;
            let _ = write!(text, "\n### `{name}`\n\n{}\n\n", joined(setting.docs));
            let _ = writeln!(text, "- variable: `{}`", setting.env);
            if setting.secret {
                let _ = writeln!(text, "- or a file that has it: `{}_FILE`", setting.env);
            } else {
                let _ = writeln!(text, "- flag: `--{}`", flag(setting));
            }
            if !setting.default.is_empty() {
                let _ = writeln!(text, "- default: `{}`", setting.default);
            }
            let _ = writeln!(text, "- such as: `{}`", setting.example);
        }
    }
    text
}

const INTRODUCTION: &str = "\
# Every setting

A setting may stand in a TOML file (`--config boltlink.toml`, by its name), in an environment variable, or in a flag. A flag
goes before a variable, a variable before the file, the file before the default. What is wrong is told at the start, all of it
at once, and nothing is touched until it is right. `boltlink --print-config` shows what holds, and from where, as a TOML file.

Secrets have no flag, as others on the machine can see a command line; a second variable, which ends with `_FILE`, names a file
to read one from.

This page is made of the program itself: `boltlink config-reference`.
";

fn joined(lines: &[&str]) -> String {
    let text = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    // In Markdown these would be HTML.
    text.replace('<', "&lt;").replace('>', "&gt;")
}
