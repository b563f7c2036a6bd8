//! What the API shows and takes of links, as the document describes it.

use boltlink_core::StoredLink;
use poem_openapi::Object;
use uuid::Uuid;

use super::{
    problem::{Details, Problem},
    scalar::{LinkPasswordText, Moment, NoteText, Nullable, RedirectStatus, SlugText, TagText, Target, TitleText},
};
use crate::hosts::Hosts;

/// A short link.
#[derive(Debug, Object)]
#[oai(rename = "Link")]
pub(crate) struct LinkView {
    /// Its name for ever; the slug may change.
    id: Uuid,
    /// The host it lives under.
    domain: String,
    /// Its name in the URL, unique within the domain.
    slug: String,
    /// What to share.
    short_url: String,
    /// Where it leads.
    target: String,
    /// What it is called in lists.
    title: Nullable<String>,
    /// A note for oneself.
    note: Nullable<String>,
    /// Words to find it by, in alphabetical order.
    tags: Vec<String>,
    /// The HTTP status of the redirect.
    redirect: RedirectStatus,
    /// The first moment it works.
    starts_at: Nullable<Moment>,
    /// The first moment it works no more.
    expires_at: Nullable<Moment>,
    /// How many redirects it gives in all.
    max_visits: Nullable<u64>,
    /// Whether visitors have to know a password.
    has_password: bool,
    /// Whether a visitor's query goes along to the target.
    forward_query: bool,
    /// Whether what follows the slug in a visitor's path goes along to the target.
    forward_path: bool,
    /// Whether `robots.txt` lets crawlers in.
    crawlable: bool,
    /// Whether it is switched on.
    enabled: bool,
    /// How often it was followed, as of now.
    clicks: u64,
    /// When it was made.
    created_at: Moment,
    /// When it was last changed; clicks change nothing.
    updated_at: Moment,
    /// Goes up by one with every change; the `ETag` is the same number.
    version: u64,
}

impl LinkView {
    pub(crate) fn new(link: StoredLink, hosts: &Hosts) -> Self {
        let StoredLink { link, clicks, .. } = link;
        Self {
            id: *link.id.as_uuid(),
            domain: hosts.authority(&link.domain).to_owned(),
            slug: link.slug.to_string(),
            short_url: hosts.short_url(&link.domain, &link.slug),
            target: link.target.to_string(),
            title: Nullable(link.title.map(|title| title.to_string())),
            note: Nullable(link.note.map(|note| note.to_string())),
            tags: link.tags.iter().map(ToString::to_string).collect(),
            redirect: RedirectStatus(link.redirect),
            starts_at: Nullable(link.lifetime.starts_at().map(Moment)),
            expires_at: Nullable(link.lifetime.expires_at().map(Moment)),
            max_visits: Nullable(link.max_visits.map(|max| max.get())),
            has_password: link.password.is_some(),
            forward_query: link.forward.query,
            forward_path: link.forward.path,
            crawlable: link.crawlable,
            enabled: link.enabled,
            clicks,
            created_at: Moment(link.created_at),
            updated_at: Moment(link.updated_at),
            version: link.version,
        }
    }
}

/// A page of links, in the order asked for.
#[derive(Debug, Object)]
pub(crate) struct LinkPage {
    /// The links.
    pub(crate) items: Vec<LinkView>,
    /// Pass it as `cursor` to get the next page; null on the last one.
    pub(crate) next_cursor: Nullable<String>,
}

/// A link to be made. Only `target` is required; null is as good as absent. Other fields than
/// these are refused.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct NewLink {
    /// Where it leads: an absolute `http` or `https` URL of at most 8192 bytes, without user name and password, and not
    /// on one of this server's own domains.
    target: Target,
    /// One of this server's domains; the default one if absent.
    domain: Option<Nullable<String>>,
    /// Its name in the URL, unique within the domain; a random one if absent. Not one of the names that the service
    /// itself uses, such as `api`.
    slug: Option<Nullable<SlugText>>,
    /// How many characters a random slug is to have; 7 if absent. Not together with `slug`.
    #[oai(validator(minimum(value = "4"), maximum(value = "32")))]
    slug_length: Option<Nullable<u8>>,
    /// What it is called in lists.
    title: Option<Nullable<TitleText>>,
    /// A note for oneself.
    note: Option<Nullable<NoteText>>,
    /// Words to find it by.
    #[oai(validator(max_items = 50))]
    tags: Option<Nullable<Vec<TagText>>>,
    /// The HTTP status of the redirect; 302 if absent.
    redirect: Option<Nullable<RedirectStatus>>,
    /// The first moment it works.
    starts_at: Option<Nullable<Moment>>,
    /// The first moment it works no more; later than `starts_at`.
    expires_at: Option<Nullable<Moment>>,
    /// How many redirects it gives in all.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740991")))]
    max_visits: Option<Nullable<u64>>,
    /// What visitors have to know: 1 to 128 characters. Nobody is told it again. Not together with `find_existing`.
    password: Option<Nullable<LinkPasswordText>>,
    /// Whether a visitor's query goes along to the target: its parameters follow the target's, and replace those of
    /// the same name. False if absent.
    forward_query: Option<Nullable<bool>>,
    /// Whether what follows the slug in a visitor's path is appended to the target's path. False if absent.
    forward_path: Option<Nullable<bool>>,
    /// Whether `robots.txt` lets crawlers in; false if absent.
    crawlable: Option<Nullable<bool>>,
    /// Whether it is switched on; true if absent.
    enabled: Option<Nullable<bool>>,
    /// Whether an existing link is as good: then the oldest of your usable links of the same domain and target that is
    /// equal in all that this request says, and has no password, is given (with 200), and one is made only if there is none. Of links to
    /// one target the 1,000 oldest are looked at.
    find_existing: Option<Nullable<bool>>,
}

/// What is to change of a link: null empties a field, an absent field stays as it is. Other fields than
/// these are refused.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct LinkPatch {
    /// Where it leads, as when it was made.
    target: Option<Target>,
    /// Its name in the URL, under the same domain.
    slug: Option<SlugText>,
    /// What it is called in lists.
    title: Option<Nullable<TitleText>>,
    /// A note for oneself.
    note: Option<Nullable<NoteText>>,
    /// Words to find it by: the whole list.
    #[oai(validator(max_items = 50))]
    tags: Option<Nullable<Vec<TagText>>>,
    /// The HTTP status of the redirect.
    redirect: Option<RedirectStatus>,
    /// The first moment it works.
    starts_at: Option<Nullable<Moment>>,
    /// The first moment it works no more; later than `starts_at`.
    expires_at: Option<Nullable<Moment>>,
    /// How many redirects it gives in all. If there was no bound before, the clicks stored so far count;
    /// those of the last second may come on top.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740991")))]
    max_visits: Option<Nullable<u64>>,
    /// What visitors have to know, as when it was made; null lets everybody in. Whoever was let in before has to know the
    /// new one.
    password: Option<Nullable<LinkPasswordText>>,
    /// Whether a visitor's query goes along to the target.
    forward_query: Option<bool>,
    /// Whether what follows the slug in a visitor's path is appended to the target's path.
    forward_path: Option<bool>,
    /// Whether `robots.txt` lets crawlers in.
    crawlable: Option<bool>,
    /// Whether it is switched on.
    enabled: Option<bool>,
}

/// Links to be made, each judged by itself.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct NewLinks {
    /// The links.
    #[oai(validator(min_items = 1, max_items = 1000))]
    links: Vec<NewLink>,
}

/// One change to many links.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct LinkPatches {
    /// The links' `id`s.
    #[oai(validator(min_items = 1, max_items = 1000))]
    ids: Vec<Uuid>,
    /// What is to change of each.
    patch: LinkPatch,
}

/// Links to be deleted.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct LinkIds {
    /// The links' `id`s.
    #[oai(validator(min_items = 1, max_items = 1000))]
    ids: Vec<Uuid>,
}

/// What became of each link, in the order of the request.
#[derive(Debug, Object)]
pub(crate) struct BulkResults {
    /// One for each.
    pub(crate) results: Vec<BulkResult>,
}

/// What became of one link: what a request for it alone would have been answered.
#[derive(Debug, Object)]
pub(crate) struct BulkResult {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The link, if it was made, found or changed.
    #[oai(skip_serializing_if_is_none)]
    pub(crate) link: Option<LinkView>,
    /// What is wrong, if something is. Pointers are into the whole request.
    #[oai(skip_serializing_if_is_none)]
    pub(crate) problem: Option<Details>,
}

impl BulkResult {
    pub(crate) fn done(status: u16, link: StoredLink, hosts: &Hosts) -> Self {
        Self { status, link: Some(LinkView::new(link, hosts)), problem: None }
    }

    pub(crate) fn refused(problem: &Problem) -> Self {
        Self { status: problem.code().status().as_u16(), link: None, problem: Some(problem.details()) }
    }
}
