//! From the fields of a request to the engine's own types.

use std::sync::Arc;

use boltlink_core::{
    Domain, Lifetime, LinkEdit, MaxVisits, NewLink, RedirectKind, Tags, TargetRules, TargetUrl, store::Fingerprint,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    body::{self, Fields, Wrong},
    problem::Problem,
};
use crate::hosts::Hosts;

/// What this server accepts.
pub(crate) struct Rules {
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) targets: TargetRules,
}

impl Rules {
    fn target(&self, value: &Value) -> Result<TargetUrl, Wrong> {
        Ok(TargetUrl::parse(body::string(value)?, &self.targets)?)
    }

    fn domain(&self, value: &Value) -> Result<Domain, Wrong> {
        let name = body::string(value)?;
        self.hosts.named(name).ok_or_else(|| body::must(not_ours(&self.hosts)))
    }
}

/// What a domain must be.
pub(crate) fn not_ours(hosts: &Hosts) -> String {
    let names: Vec<_> = hosts.authorities().map(Domain::as_str).collect();
    format!("must be a domain of this server: {}", names.join(", "))
}

/// Reads the body of a creation.
pub(crate) fn new_link(mut fields: Fields, rules: &Rules) -> Result<NewLink, Problem> {
    let target = fields.required("target", |value| rules.target(value));
    let domain = fields.optional("domain", |value| rules.domain(value));
    let slug = fields.optional("slug", body::text);
    let title = fields.optional("title", body::text);
    let note = fields.optional("note", body::text);
    let tags = fields.optional("tags", tags);
    let redirect = fields.optional("redirect", body::number::<u16, RedirectKind>);
    let starts_at = fields.optional("starts_at", body::text);
    let expires_at = fields.optional("expires_at", body::text);
    let max_visits = fields.optional("max_visits", body::number::<u64, MaxVisits>);
    let enabled = fields.optional("enabled", body::boolean);
    let lifetime = Lifetime::new(starts_at, expires_at).unwrap_or_else(|why| {
        fields.refuse("/expires_at", why.to_string());
        Lifetime::default()
    });
    fields.finish()?;
    // Its absence was refused just now.
    let Some(target) = target else { return Err(Problem::invalid(Vec::new())) };
    Ok(NewLink {
        domain: domain.unwrap_or_default(),
        slug,
        title,
        note,
        tags: tags.unwrap_or_default(),
        redirect: redirect.unwrap_or_default(),
        lifetime,
        max_visits,
        enabled: enabled.unwrap_or(true),
        ..NewLink::to(target)
    })
}

/// Reads the body of a change.
pub(crate) fn link_edit(mut fields: Fields, rules: &Rules) -> Result<LinkEdit, Problem> {
    let edit = LinkEdit {
        slug: fields.solid("slug", body::text),
        target: fields.solid("target", |value| rules.target(value)),
        title: fields.field("title", body::text),
        note: fields.field("note", body::text),
        tags: fields.solid("tags", tags),
        redirect: fields.solid("redirect", body::number::<u16, RedirectKind>),
        starts_at: fields.field("starts_at", body::text),
        expires_at: fields.field("expires_at", body::text),
        max_visits: fields.field("max_visits", body::number::<u64, MaxVisits>),
        enabled: fields.solid("enabled", body::boolean),
    };
    fields.finish()?;
    Ok(edit)
}

fn tags(value: &Value) -> Result<Tags, Wrong> {
    Ok(Tags::new(body::array(value, body::text)?)?)
}

/// What tells one creation from another: the same link in other words (order, spaces, defaults spelled
/// out) is the same.
pub(crate) fn fingerprint(new: &NewLink) -> Fingerprint {
    let micros = |time: Option<boltlink_core::Timestamp>| time.map(|time| time.as_micros());
    let canonical = json!([
        new.domain.as_str(),
        new.slug.as_ref().map(boltlink_core::Slug::as_str),
        new.target.as_str(),
        new.title.as_ref().map(boltlink_core::Title::as_str),
        new.note.as_ref().map(boltlink_core::Note::as_str),
        new.tags.iter().map(boltlink_core::Tag::as_str).collect::<Vec<_>>(),
        new.redirect.code(),
        micros(new.lifetime.starts_at()),
        micros(new.lifetime.expires_at()),
        new.max_visits.map(MaxVisits::get),
        new.enabled,
    ]);
    Fingerprint(Sha256::digest(canonical.to_string()).into())
}
