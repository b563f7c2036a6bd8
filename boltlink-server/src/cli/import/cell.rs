//! What stands in a cell, as the value of a field.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::columns::Origin;

/// The value, unless it stands for nothing: tables of databases have `NULL` or `\N` there.
pub(super) fn present(value: Value, of_database: bool) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => {
            let text = text.trim();
            let nothing = text.is_empty() || (of_database && matches!(text, "NULL" | "\\N"));
            (!nothing).then(|| text.into())
        }
        value => Some(value),
    }
}

/// The value of the field `name`. What cannot be understood stays as it is, and is refused with the
/// field's own words.
pub(super) fn convert(name: &str, value: Value, origin: Origin) -> Option<Value> {
    let text = match (name, &value) {
        ("created_at" | "updated_at" | "starts_at" | "expires_at", Value::Number(number)) => number.to_string(),
        (_, Value::String(text)) => text.clone(),
        _ => return Some(value),
    };
    Some(match name {
        "created_at" | "updated_at" | "starts_at" | "expires_at" if text.starts_with("0000-00-00") => return None,
        "created_at" | "updated_at" | "starts_at" | "expires_at" => time(&text).unwrap_or(text).into(),
        "clicks" | "version" | "redirect" | "max_visits" => number(&text).map_or(value, Value::from),
        "enabled" | "forward_query" | "forward_path" | "crawlable" => truth(&value).map_or(value, Value::from),
        "tags" => tags(&text, origin),
        // Foreign titles come from web pages, line breaks and all.
        "title" if origin != Origin::Links => words(&text).into(),
        _ => value,
    })
}

/// The moment as RFC 3339. Where no zone is said it is UTC.
fn time(text: &str) -> Option<String> {
    let at: DateTime<Utc> = if text.len() >= 9 && text.bytes().all(|b| b.is_ascii_digit()) {
        let number: i64 = text.parse().ok()?;
        // Seconds reach 12 digits in the year 5138, milliseconds had 12 until September 2001.
        if text.len() < 12 { DateTime::from_timestamp(number, 0) } else { DateTime::from_timestamp_millis(number) }?
    } else if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        at.to_utc()
    } else {
        let zoned = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z"];
        let bare = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
        let text = text.trim_end_matches(" UTC");
        zoned
            .iter()
            .find_map(|form| DateTime::parse_from_str(text, form).ok().map(|at| at.to_utc()))
            .or_else(|| {
                bare.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).map(|at| at.and_utc())
            })
            .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|at| at.and_utc()))?
    };
    Some(at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// A whole number, with or without commas between thousands.
fn number(text: &str) -> Option<u64> {
    let mut groups = text.split(',');
    let first = groups.next().is_some_and(|group| !group.is_empty());
    let grouped = groups.all(|group| group.len() == 3);
    if first && grouped { text.replace(',', "").parse().ok() } else { None }
}

/// Yes or no, as databases and spreadsheets write it.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => number.as_u64().filter(|number| *number < 2).map(|number| number == 1),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "yes" | "y" => Some(true),
            "false" | "f" | "0" | "no" | "n" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Tags: a list in JSON, or joined by `|`, or by commas or semicolons where there is no `|`.
fn tags(text: &str, origin: Origin) -> Value {
    if text.starts_with('[')
        && let Ok(list @ Value::Array(_)) = serde_json::from_str(text)
    {
        return list;
    }
    let by: &[char] = if origin == Origin::Shlink || text.contains('|') { &['|'] } else { &[',', ';'] };
    text.split(by).map(str::trim).filter(|tag| !tag.is_empty()).collect()
}

/// The cell for tags, which [`convert`] reads back.
pub(in crate::cli) fn tags_cell(tags: &[&str]) -> String {
    let clash = |tag: &&&str| tag.contains(['|', ',', ';']) || tag.starts_with('[');
    if tags.iter().any(|tag| clash(&tag)) { Value::from(tags).to_string() } else { tags.join("|") }
}

fn words(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A slug that may stand between slashes and be encoded as in a URL.
pub(super) fn slug(value: Value) -> Value {
    match value {
        Value::String(text) => decoded(text.trim_matches('/')).into(),
        // In JSON and in spreadsheets a slug of digits becomes a number.
        Value::Number(number) => number.to_string().into(),
        value => value,
    }
}

/// Host and slug of a short URL, with or without a scheme; of the first one in a list.
pub(super) fn short_url(value: &Value) -> Option<(String, String)> {
    let text = match value {
        Value::Array(list) => list.first()?.as_str()?,
        value => value.as_str()?,
    };
    let first = text.trim_matches(['[', ']', '"', ' ']).split([',', '|', ' ', '"']).next()?;
    let bare = first.split_once("://").map_or(first, |(_, bare)| bare);
    let (host, path) = bare.split_once('/')?;
    let path = path.split(['?', '#']).next()?.trim_matches('/');
    (!host.is_empty() && !path.is_empty()).then(|| (host.to_owned(), decoded(path)))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Into::into)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_of_all_sources() {
        for (text, at) in [
            ("2021-05-06 07:08:09", "2021-05-06T07:08:09Z"),
            ("2021-05-06 07:08:09.123456+00", "2021-05-06T07:08:09.123456Z"),
            ("2021-05-06 09:08:09+02:00", "2021-05-06T07:08:09Z"),
            ("2021-05-06T09:08:09+0200", "2021-05-06T07:08:09Z"),
            ("2021-05-06T09:08:09+02:00", "2021-05-06T07:08:09Z"),
            ("2021-05-06T07:08:09.123Z", "2021-05-06T07:08:09.123Z"),
            ("2021-05-06 07:08:09 UTC", "2021-05-06T07:08:09Z"),
            ("2021-05-06T07:08:09", "2021-05-06T07:08:09Z"),
            ("2021-05-06 07:08", "2021-05-06T07:08:00Z"),
            ("2021-05-06", "2021-05-06T00:00:00Z"),
            ("1620284889", "2021-05-06T07:08:09Z"),
            ("1620284889123", "2021-05-06T07:08:09.123Z"),
        ] {
            assert_eq!(time(text).as_deref(), Some(at), "{text}");
        }
        for text in ["soon", "05/06/2021", "2021", "2021-13-01", "99999999999999999999"] {
            assert_eq!(time(text), None, "{text}");
        }
        assert_eq!(convert("created_at", json!("0000-00-00 00:00:00"), Origin::Yourls), None);
    }

    #[test]
    fn numbers_with_and_without_commas() {
        assert_eq!(
            ["7", "1,234", "1,234,567", "1,23", ",123", "1.5", "-1", ""].map(number),
            [Some(7), Some(1_234), Some(1_234_567), None, None, None, None, None]
        );
    }

    #[test]
    fn tags_survive_their_cell() {
        for list in [&["a"][..], &["a", "b c"], &["a|b", "c"], &["a,b"], &["[x]"], &["a;b"], &["[\"x\"]"]] {
            assert_eq!(tags(&tags_cell(list), Origin::Links), json!(list));
        }
        assert_eq!(tags("red, green,", Origin::Bitly), json!(["red", "green"]));
        assert_eq!(tags("red, green|blue", Origin::Shlink), json!(["red, green", "blue"]));
        assert_eq!(tags("red, green", Origin::Shlink), json!(["red, green"]));
    }

    #[test]
    fn short_urls_say_host_and_slug() {
        let parts = |value: Value| short_url(&value).map(|(host, slug)| format!("{host} {slug}"));
        assert_eq!(parts(json!("https://bit.ly/3abc")).as_deref(), Some("bit.ly 3abc"));
        assert_eq!(parts(json!("go.example.com/%C3%BC/?x=1#y")).as_deref(), Some("go.example.com ü"));
        assert_eq!(parts(json!(["go.example.com/a", "go.example.com/b"])).as_deref(), Some("go.example.com a"));
        assert_eq!(parts(json!("[\"go.example.com/a\",\"x/b\"]")).as_deref(), Some("go.example.com a"));
        assert_eq!(parts(json!("bit.ly")), None);
        assert_eq!(parts(json!(5)), None);
    }
}
