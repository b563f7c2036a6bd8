//! What each operation needs: one table, by which requests are judged, the document is written, and the tests know what
//! must be refused.

use boltlink_core::Scope;

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Anybody.
    Public,
    /// Whoever has a key or a session.
    Known,
    /// Whoever has logged in: not a key.
    Session,
    /// Whose key or account has the scope.
    Needs(Scope),
}

use Rule::{Known, Needs, Public, Session};

/// The rule of an operation. One that is not in the table needs an admin.
pub(crate) fn rule(operation_id: &str) -> Rule {
    RULES.iter().find(|(id, _)| *id == operation_id).map_or(Needs(Scope::Admin), |(_, rule)| *rule)
}

const RULES: &[(&str, Rule)] = &[
    ("create_link", Needs(Scope::LinksWrite)),
    ("list_links", Needs(Scope::LinksRead)),
    ("read_link", Needs(Scope::LinksRead)),
    ("edit_link", Needs(Scope::LinksWrite)),
    ("delete_link", Needs(Scope::LinksWrite)),
    ("create_links", Needs(Scope::LinksWrite)),
    ("edit_links", Needs(Scope::LinksWrite)),
    ("delete_links", Needs(Scope::LinksWrite)),
    ("link_qr", Needs(Scope::LinksRead)),
    ("link_stats", Needs(Scope::AnalyticsRead)),
    ("link_series", Needs(Scope::AnalyticsRead)),
    ("link_breakdown", Needs(Scope::AnalyticsRead)),
    ("link_clicks", Needs(Scope::AnalyticsRead)),
    ("global_analytics", Needs(Scope::Admin)),
    ("top_links", Needs(Scope::Admin)),
    ("create_key", Needs(Scope::KeysWrite)),
    ("list_keys", Needs(Scope::KeysRead)),
    ("read_key", Needs(Scope::KeysRead)),
    ("rotate_key", Needs(Scope::KeysWrite)),
    ("revoke_key", Needs(Scope::KeysWrite)),
    ("register", Public),
    ("set_password", Public),
    ("log_in", Public),
    ("log_out", Session),
    ("list_sessions", Session),
    ("end_session", Session),
    ("who_am_i", Known),
    ("change_password", Session),
    ("delete_me", Session),
    ("invite_account", Needs(Scope::Admin)),
    ("list_accounts", Needs(Scope::Admin)),
    ("read_account", Needs(Scope::Admin)),
    ("edit_account", Needs(Scope::Admin)),
    ("reset_password", Needs(Scope::Admin)),
    ("delete_account", Needs(Scope::Admin)),
    ("list_audit_entries", Needs(Scope::Admin)),
    ("queue_depth", Needs(Scope::Admin)),
    ("list_dead_letters", Needs(Scope::Admin)),
    ("get_dead_letter", Needs(Scope::Admin)),
    ("replay_dead_letter", Needs(Scope::Admin)),
    ("purge_dead_letter", Needs(Scope::Admin)),
    ("health", Public),
    ("live", Public),
    ("ready", Public),
    ("metrics", Needs(Scope::Admin)),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use poem_openapi::OpenApi;

    use super::*;
    use crate::api::Operations;

    #[test]
    fn every_operation_has_a_rule_and_every_rule_an_operation() {
        let apis = Operations::meta();
        let paths = apis.iter().flat_map(|api| &api.paths);
        let operations: BTreeSet<_> =
            paths.flat_map(|path| &path.operations).map(|operation| operation.operation_id.unwrap_or("none")).collect();
        assert_eq!(operations, RULES.iter().map(|(id, _)| *id).collect());
    }
}
