//! What many numbers come to.

use std::time::Duration;

use serde_json::{Value, json};

/// The median, the least and the most.
pub(crate) fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    [at(values.len() / 2), at(0), at(values.len().saturating_sub(1))]
}

/// That, for programs.
pub(crate) fn told([median, least, most]: [f64; 3]) -> Value {
    json!({ "median": median, "least": least, "most": most })
}

/// How long the quickest so many of a thousand took at most, of times in their order; `None` if there are none.
pub(crate) fn percentile(sorted: &[Duration], of_thousand: usize) -> Option<Duration> {
    let last = (sorted.len() * of_thousand).div_ceil(1000).checked_sub(1)?;
    sorted.get(last).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_what_so_many_take_at_most() {
        let times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 990), Some(Duration::from_millis(198)));
        assert_eq!(percentile(&times[..7], 990), Some(Duration::from_millis(7)), "the slowest of a few");
        assert_eq!(percentile(&[], 500), None);
    }
}
