//! What many numbers come to.

use std::time::Duration;

use serde_json::{Value, json};

/// The median, which is between the two in the middle of an even number, the least and the most; nothing of nothing.
pub(crate) fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    [f64::midpoint(at(last / 2), at(last.div_ceil(2))), at(0), at(last)]
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
    fn the_median_of_an_even_number_is_between_two() {
        assert_eq!(spread(vec![3.0, 1.0]), [2.0, 1.0, 3.0]);
        assert_eq!(spread(vec![4.0, 1.0, 2.0]), [2.0, 1.0, 4.0]);
        assert_eq!(spread(vec![5.0, 1.0, 2.0, 4.0]), [3.0, 1.0, 5.0]);
        assert!(spread(Vec::new()).iter().all(|number| number.is_nan()));
    }

    #[test]
    fn a_percentile_is_what_so_many_take_at_most() {
        let times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 990), Some(Duration::from_millis(198)));
        assert_eq!(percentile(&times[..7], 990), Some(Duration::from_millis(7)), "the slowest of a few");
        assert_eq!(percentile(&[], 500), None);
    }
}
