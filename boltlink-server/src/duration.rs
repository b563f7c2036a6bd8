//! Durations as people write them.

use std::time::Duration;

/// The units, and their length in milliseconds.
const UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// Reads a whole number and a unit: `500ms`, `2s`, `15m`, `12h`, `90d`, `2w`.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let millis = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, millis)| millis);
    match (number.parse::<u64>(), millis) {
        (Ok(number), Some(millis)) => {
            number.checked_mul(*millis).map(Duration::from_millis).ok_or_else(|| "is too long".to_owned())
        }
        _ => Err("must be a whole number and a unit (ms, s, m, h, d or w), such as 500ms or 90d".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        for (text, millis) in [("500ms", 500), ("2s", 2_000), ("15m", 900_000), ("90d", 7_776_000_000), (" 0s ", 0)] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "5", "s", "-5s", "1.5s", "5 s", "5y", "99999999999999999w"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
