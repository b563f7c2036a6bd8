//! The contract of [`ClickSink`](crate::store::ClickSink), of totals and analytics alike, and of
//! [`AnalyticsReader`](crate::store::AnalyticsReader).

#![allow(missing_docs)] // A case's name says what it shows.

mod analytics;
mod dead;
mod ledger;
mod raw;
mod tally;
mod totals;

pub use analytics::*;
pub use dead::*;
pub use ledger::*;
pub use raw::*;
pub use tally::*;
pub use totals::*;

/// Runs the suites of both [`ClickSink`](crate::store::ClickSink)s and of the
/// [`AnalyticsReader`](crate::store::AnalyticsReader); see [`testing`](crate::testing).
#[macro_export]
macro_rules! click_suite {
    ($fixture:path) => {
        $crate::__sink_cases!(totals_sink, $fixture, run_on_totals);
        $crate::__sink_cases!(analytics_sink, $fixture, run_on_analytics);
        $crate::__cases! { totals, $fixture, run, click:
            clicks_are_counted_per_link
            counting_leaves_the_version_alone
            clicks_of_links_that_do_not_exist_are_orphaned
            deleting_a_link_deletes_its_count
            a_later_cap_counts_the_clicks_so_far
            a_capped_link_does_not_take_its_clicks_twice
            every_way_of_reading_carries_the_count
            a_link_that_comes_back_balances_its_rollups
            a_live_total_never_exceeds_what_was_recorded
        }
        $crate::__cases! { analytics, $fixture, run, click:
            rollups_add_up_to_totals
            a_link_that_does_not_exist_is_kept
            a_click_from_the_future_counts_now
            hours_are_read_within_their_span
            days_at_the_ends_of_a_span_count_its_hours_only
            all_links_together_include_deleted_ones
            nothing_is_read_of_nothing
            referrers_and_languages_are_broken_down
            a_breakdown_covers_its_days_only
            a_breakdown_has_the_most_first_and_ties_by_value
            what_many_apply_at_once_counts_in_each_value
            each_link_of_a_large_call_has_its_day_and_its_values
            a_hundred_values_are_kept
            values_beyond_the_bound_are_other
            values_that_are_kept_go_on_counting_beside_other
            other_is_not_one_of_the_hundred
            values_are_bounded_per_link_day_and_dimension
            a_click_is_kept_as_it_was_made
            clicks_are_newest_first_and_pages_join
            clicks_that_are_stored_together_are_read_one_by_one
            a_repeated_batch_keeps_no_click_twice
            weights_add_up_to_the_clicks
            old_clicks_count_but_are_not_kept
            clicks_of_a_deleted_link_stay_readable
            the_most_clicked_links_come_first
        }
        mod pipeline_model {
            #[allow(unused_imports)] // The fixture may be named by a full path.
            use super::*;
            #[test]
            fn every_click_counts_once_whatever_goes_wrong() {
                $crate::testing::model_click::every_click_counts_once_whatever_goes_wrong($fixture);
            }
        }
    };
}

/// The cases that hold for each of the two sinks.
#[doc(hidden)]
#[macro_export]
macro_rules! __sink_cases {
    ($name:ident, $fixture:path, $run:ident) => {
        $crate::__cases! { $name, $fixture, $run, click:
            a_batch_takes_effect_once
            a_batch_twice_in_one_call_takes_effect_once
            old_and_new_batches_are_told_apart_in_one_call
            batches_may_come_in_any_order
            holes_are_noted_until_they_close
            concurrent_appliers_apply_each_batch_once
            a_dropped_call_is_whole_or_did_nothing
            nothing_at_all_may_be_applied
            an_empty_batch_is_noted
            a_large_call_is_applied_whole
            clicks_with_every_detail_are_counted
            the_two_ledgers_are_apart
            ledgers_come_in_the_order_asked
            an_unknown_old_producer_is_quarantined
            a_quarantined_producer_holds_up_nobody
            an_unknown_producer_of_a_week_ago_may_begin
            a_known_producer_is_judged_by_its_ledger_at_any_age
            a_ledger_outlives_its_producers_last_batch
            a_tally_has_the_effect_of_its_batches_once
            a_tally_with_a_batch_that_must_not_be_applied_does_nothing
            a_batch_set_aside_is_dealt_with_and_has_no_effect
            a_batch_set_aside_stays_there
            a_batch_is_set_aside_once
            a_batch_that_was_applied_cannot_be_set_aside
            a_batch_without_bad_clicks_is_salvaged_whole_and_once
            a_batch_set_aside_takes_effect_once_when_it_is_replayed
            replays_at_once_count_once
            what_is_purged_is_never_applied
            a_batch_of_an_unknown_old_producer_counts_when_it_is_replayed
            dead_letters_come_in_pages_by_batch
        }
    };
}
