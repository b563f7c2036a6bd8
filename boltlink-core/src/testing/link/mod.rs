//! The contract of [`LinkStore`](crate::store::LinkStore), as far as it needs no other store. What
//! links have to do with clicks stands in [`click`](super::click), with changes in
//! [`change`](super::change).

#![allow(missing_docs)] // A case's name says what it shows.

mod case;
mod edit;
mod insert;
mod list;
mod once;
mod reserve;

pub use case::*;
pub use edit::*;
pub use insert::*;
pub use list::*;
pub use once::*;
pub use reserve::*;

/// Runs the suite of [`LinkStore`](crate::store::LinkStore); see [`testing`](crate::testing).
#[macro_export]
macro_rules! link_suite {
    ($fixture:path) => {
        $crate::__cases! { link, $fixture, run, link:
            a_link_comes_back_as_it_was_stored
            a_link_without_trimmings_comes_back_as_it_was_stored
            what_is_not_there_is_not_found
            a_slug_is_given_once
            a_slug_is_told_apart_by_case
            a_slug_may_be_given_once_per_domain
            an_id_is_given_once
            an_opening_balance_is_counted_and_taken
            a_taken_slug_leaves_the_first_link_alone
            a_dropped_insert_is_whole_or_not_there
            many_links_are_judged_one_by_one
            many_links_of_one_slug_leave_the_first
            many_means_thousands
            many_calls_at_once_give_each_slug_once
            the_store_answers_a_ping
            a_repeated_request_is_replayed
            a_replay_does_not_look_at_the_slug
            a_key_is_refused_for_another_request
            of_parallel_requests_with_one_key_one_creates
            of_parallel_requests_that_share_a_key_wrongly_one_creates
            a_key_belongs_to_its_owner
            a_key_is_remembered_for_a_day
            a_key_is_not_used_up_by_a_taken_slug
            a_replay_names_a_link_that_was_deleted
            many_requests_are_replayed_one_by_one
            an_update_replaces_all_but_the_counts
            an_update_stores_the_version_it_is_given
            an_update_of_an_old_version_changes_nothing
            an_update_of_nothing_is_not_found
            an_update_to_a_taken_slug_changes_nothing
            of_parallel_updates_one_wins
            of_parallel_updates_to_one_slug_one_wins
            an_update_may_keep_the_slug
            a_slug_that_is_given_up_is_free_again
            a_deleted_link_is_gone_and_its_slug_free
            a_link_is_deleted_at_the_expected_version_only
            of_parallel_deletes_one_finds_the_link
            lists_are_newest_first
            pages_join_without_gap_or_overlap
            pages_join_among_equal_times
            lists_pass_what_the_filter_passes
            lists_pass_what_every_filter_passes
            every_order_is_kept_on_every_page
            a_changed_link_is_found_by_what_it_is_now
            a_page_goes_on_after_a_deleted_link
            listing_while_others_write_misses_and_repeats_nothing
            links_to_a_target_come_oldest_first
            links_to_a_target_are_those_of_owner_and_domain
            a_link_is_found_by_its_new_target_only
            usable_links_to_a_target_leave_out_the_others
            how_slugs_are_told_apart_is_fixed_once
            links_of_old_are_told_apart_by_case
            slugs_are_spelled_anew_when_case_no_longer_matters
            slugs_that_would_clash_change_nothing
            visits_are_granted_up_to_the_cap
            parallel_reservations_never_exceed_the_cap
            a_link_without_a_cap_grants_all_and_notes_nothing
            a_missing_link_grants_nothing
            a_raised_cap_grants_the_difference
            a_lowered_cap_takes_nothing_back
            a_cap_set_anew_remembers_what_was_granted
            updates_and_reservations_do_not_undo_each_other
        }
        mod link_model {
            #[allow(unused_imports)] // The fixture may be named by a full path.
            use super::*;
            #[test]
            fn links_behave_like_a_plain_map() {
                $crate::testing::model_link::links_behave_like_a_plain_map($fixture);
            }

            #[test]
            fn lists_show_what_the_filter_passes_whatever_happened_before() {
                $crate::testing::model_list::lists_show_what_the_filter_passes_whatever_happened_before($fixture);
            }
        }
    };
}
