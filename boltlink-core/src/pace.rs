//! Long work on a core that visits need, too.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long to work at least before the core is offered.
const PIECE: Duration = Duration::from_micros(200);
/// A piece counts for so much at most: a thread that waits, for its core among others, does not work.
const MOST_WORKED: Duration = Duration::from_micros(400);
/// So many things that take nanoseconds take far less than a piece.
const TICKS: u32 = 256;
/// Others get so many times what the work gets, where they take all they can.
const OTHERS: u32 = 3;
/// Of what others got beyond that so much work need not be made up for at once.
const SLACK: Duration = Duration::from_millis(20);
/// And so much at most is ever made up for: a process may have stood still for hours.
const MOST_OWED: Duration = Duration::from_millis(200);

/// Long work in pieces of 0.2 ms, between which whoever waits for the core may have it.
///
/// A scheduler leaves a core for milliseconds to a thread that does not pause, and visits wait for that long. To offer it
/// costs next to nothing where nobody waits. Where others take all they can get, a fifth to a quarter of the time is left for
/// the work.
///
/// Keep it for as long as there is such work: what others got is remembered in it.
#[derive(Debug)]
pub struct Pace {
    since: Instant,
    /// Work that is to be done before the core is offered again, but for the slack.
    owed: Duration,
    ticks: u32,
}

impl Pace {
    /// Begins to work.
    #[must_use]
    pub fn begin() -> Self {
        Self { since: Instant::now(), owed: Duration::ZERO, ticks: 0 }
    }

    /// Of work that others wait for: it never offers the core.
    #[must_use]
    pub fn unbroken() -> Self {
        Self { owed: Duration::MAX, ..Self::begin() }
    }

    /// Offers the core, if a piece is done: to be called several times in each. Costs a look at the clock. It may hold up
    /// the calling thread, so nobody who is to go first may wait for what that has locked.
    pub fn step(&mut self) {
        let now = Instant::now();
        if self.ends_piece(now) {
            thread::yield_now();
            self.go_on(Instant::now());
        }
    }

    /// The same, to be called after each thing that takes nanoseconds: it seldom looks at the clock.
    pub(crate) fn tick(&mut self) {
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(TICKS) {
            self.step();
        }
    }

    /// Sorts in pieces.
    pub(crate) fn sort<T: Ord>(&mut self, list: &mut [T]) {
        list.sort_unstable_by(|a, b| {
            self.tick();
            a.cmp(b)
        });
    }

    /// Whether a piece ends now, after which the core is to be offered.
    fn ends_piece(&mut self, now: Instant) -> bool {
        let worked = now - self.since;
        if worked < PIECE {
            return false;
        }
        self.since = now;
        self.owed = self.owed.saturating_sub(worked.min(MOST_WORKED));
        self.owed <= SLACK
    }

    /// Begins the next piece.
    fn go_on(&mut self, now: Instant) {
        self.owed = (self.owed + (now - self.since) / OTHERS).min(MOST_OWED);
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_micros(50);

    /// Works until others have had ten seconds, who take so long whenever the core is offered, and the other time whenever
    /// the work has gone on for 4 ms since. How long it works, and how often the core is offered.
    fn worked(offered: Duration, taken: Duration) -> (Duration, u32) {
        let mut pace = Pace::begin();
        let (mut now, mut worked, mut lost, mut offers) = (pace.since, Duration::ZERO, Duration::ZERO, 0);
        let mut slice = Duration::ZERO;
        while lost < Duration::from_secs(10) {
            now += STEP;
            worked += STEP;
            slice += STEP;
            if slice >= Duration::from_millis(4) {
                now += taken;
                lost += taken;
                slice = Duration::ZERO;
            }
            if pace.ends_piece(now) {
                now += offered;
                lost += offered;
                offers += 1;
                slice = Duration::ZERO;
                pace.go_on(now);
            }
        }
        (worked, offers)
    }

    #[test]
    fn each_piece_ends_with_an_offer_if_others_take_little() {
        let (worked, offers) = worked(Duration::from_micros(500), Duration::ZERO);
        assert_eq!(worked, PIECE * offers);
    }

    #[test]
    fn a_fifth_to_a_quarter_of_the_time_is_left_whatever_others_take() {
        for (offered, taken) in [(1, 0), (4, 0), (100, 0), (4, 4), (12, 4), (100, 4)] {
            let (worked, _) = worked(Duration::from_millis(offered), Duration::from_millis(taken));
            let share = worked.as_secs_f64() / (worked.as_secs_f64() + 10.0);
            assert!((0.19..=0.26).contains(&share), "{offered} and {taken} ms: {share}");
        }
    }

    #[test]
    fn a_long_sort_is_done_in_pieces() {
        let mut numbers: Vec<u32> = (0..100_000).map(|n: u32| n.wrapping_mul(2_654_435_761)).collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        let mut pace = Pace::begin();
        let began = pace.since;
        pace.sort(&mut numbers);
        assert_eq!(numbers, sorted);
        // A piece has ended, at least.
        assert!(pace.since > began);
    }

    #[test]
    fn unbroken_work_never_offers_the_core() {
        let mut pace = Pace::unbroken();
        let mut now = pace.since;
        let offers = (0..100_000).filter(|_| {
            now += MOST_OWED;
            pace.ends_piece(now)
        });
        assert_eq!(offers.count(), 0);
    }

    #[test]
    fn a_process_that_stood_still_soon_offers_its_core_again() {
        let mut pace = Pace::begin();
        let mut now = pace.since + Duration::from_secs(3600);
        pace.go_on(now);
        let offers = (0..2_000).filter(|_| {
            now += PIECE;
            pace.ends_piece(now)
        });
        assert!(offers.count() >= 1_000);
    }
}
