//! Whether a number grows with time, or only goes up and down.

use std::time::Duration;

/// A line through points, by least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    /// By how much it rises from the first point to the last.
    pub(crate) rise: f64,
    /// The standard error of that, if the points are scattered around it by chance.
    pub(crate) error: f64,
    /// What the points are on average.
    pub(crate) mean: f64,
}

impl Line {
    /// `None` of fewer than three points, or of points at one time.
    pub(crate) fn through(points: &[(Duration, f64)]) -> Option<Self> {
        let count = points.len() as f64;
        let (first, last) = (points.first()?.0.as_secs_f64(), points.last()?.0.as_secs_f64());
        if points.len() < 3 || last <= first {
            return None;
        }
        let mean = |value: &dyn Fn(&(Duration, f64)) -> f64| points.iter().map(value).sum::<f64>() / count;
        let (x, y) = (mean(&|point| point.0.as_secs_f64()), mean(&|point| point.1));
        let sum = |value: &dyn Fn(f64, f64) -> f64| {
            points.iter().map(|(at, value_at)| value(at.as_secs_f64() - x, value_at - y)).sum::<f64>()
        };
        let spread = sum(&|x, _| x * x);
        let slope = sum(&|x, y| x * y) / spread;
        let left = sum(&|x, y| (y - slope * x).powi(2));
        let error = (left / (count - 2.0) / spread).sqrt();
        Some(Self { rise: slope * (last - first), error: error * (last - first), mean: y })
    }

    /// Whether it rises, beyond what is `expected`, by less than this share of what it is, or by no more than chance would make
    /// it.
    pub(crate) fn is_flat(self, share: f64, expected: f64) -> bool {
        let rise = self.rise - expected;
        rise <= self.mean * share || rise <= 2.0 * self.error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: impl IntoIterator<Item = f64>) -> Line {
        let points: Vec<_> = (0..).map(Duration::from_secs).zip(values).collect();
        Line::through(&points).unwrap()
    }

    #[test]
    fn what_grows_is_told_from_what_goes_up_and_down() {
        let grows = line((0..100).map(|at| 100.0 + f64::from(at)));
        assert!((grows.rise - 99.0).abs() < 1e-9 && grows.error < 1e-9 && !grows.is_flat(0.1, 0.0), "{grows:?}");
        assert!(grows.is_flat(0.1, 99.0) && !grows.is_flat(0.1, 50.0));
        let swings = line((0..100).map(|at| if at % 2 == 0 { 50.0 } else { 150.0 }));
        assert!(swings.is_flat(0.01, 0.0), "{swings:?}");
        let falls = line((0..100).map(|at| 100.0 - f64::from(at)));
        assert!(falls.is_flat(0.0, 0.0));
        assert_eq!(Line::through(&[(Duration::ZERO, 1.0), (Duration::from_secs(1), 2.0)]), None);
    }
}
