//! What a load is like: how many users when, how fast they are, and what is expected of the server meanwhile.

use std::time::Duration;

use clap::ValueEnum;

/// A kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// What a server has to bear every day: 1,000 requests a second for 5 minutes.
    Baseline,
    /// More and more users, for 6 minutes.
    Ramp,
    /// 100 users without a pause, for 10 minutes.
    Stress,
    /// From 5 users to 200 within seconds, and back, twice.
    Spike,
    /// 500 requests a second for 20 minutes: does it grow?
    Soak,
    /// 400 users without a pause, for 5 minutes: more than it can do at once.
    Ultra,
    /// It is killed under load, again and again, for 3 minutes: what was answered counts.
    Chaos,
}

/// So many users at the end of so long.
pub(crate) type Step = (usize, Duration);

impl Profile {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// How many users there are when. Between two steps as many come or go each second as fits.
    pub(crate) fn steps(self, scale: f64) -> Vec<Step> {
        let steps: &[(usize, u64)] = match self {
            Self::Baseline => &[(20, 5), (20, 295), (0, 2)],
            Self::Ramp => &[(10, 30), (10, 60), (50, 30), (50, 60), (100, 30), (100, 120), (0, 30)],
            Self::Stress => &[(100, 30), (100, 570), (0, 5)],
            Self::Spike => {
                &[(5, 2), (5, 60), (200, 5), (200, 60), (5, 5), (5, 60), (200, 5), (200, 60), (5, 5), (5, 60), (0, 1)]
            }
            Self::Soak => &[(20, 5), (20, 1195), (0, 2)],
            Self::Ultra => &[(400, 20), (400, 280), (0, 5)],
            Self::Chaos => &[(20, 5), (20, 175), (0, 2)],
        };
        // Goose counts whole seconds.
        let scaled = |seconds: u64| Duration::from_secs(((seconds as f64 * scale).round() as u64).max(1));
        steps.iter().map(|(users, seconds)| (*users, scaled(*seconds))).collect()
    }

    /// Requests a second that all users together keep to.
    pub(crate) const fn rate(self) -> Option<usize> {
        match self {
            Self::Baseline => Some(1_000),
            Self::Soak => Some(500),
            _ => None,
        }
    }

    /// What answers have to be like, in Goose's words.
    pub(crate) const fn thresholds(self) -> &'static [&'static str] {
        match self {
            Self::Baseline | Self::Soak => &["p95<25ms", "p99<100ms for GET /{slug}"],
            Self::Ramp | Self::Stress => &["p95<100ms"],
            Self::Spike => &["p95<250ms"],
            Self::Ultra => &["p95<1s"],
            // While it is down, whoever asks waits for nothing.
            Self::Chaos => &[],
        }
    }

    /// How long it lives between two kills.
    pub(crate) fn life(self, scale: f64) -> Option<Duration> {
        (self == Self::Chaos).then(|| Duration::from_secs_f64((15.0 * scale).max(3.0)))
    }

    /// Whether it must not grow.
    pub(crate) fn must_stay_small(self) -> bool {
        self == Self::Soak
    }
}
