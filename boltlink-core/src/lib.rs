//! The engine of BoltLink: what a link, a visit and a click are, the traits that stores implement,
//! and the [`Shortener`] that puts them together.
//!
//! Most programs use the facade crate `boltlink`, which re-exports all of this.

#[doc(hidden)]
pub mod abort;
mod access;
mod account;
mod audit;
pub mod click;
mod domain;
mod error;
pub mod forward;
pub mod gcra;
pub mod hex;
mod id;
#[cfg(feature = "journal")]
pub mod journal;
mod key;
mod keyed;
pub mod ledger;
pub mod limit;
mod link;
mod mac;
pub mod memory;
mod new_link;
mod pace;
mod pass;
mod password;
pub mod policy;
mod random;
pub mod sample;
mod shortener;
pub mod slug;
pub mod store;
mod stores;
pub mod tally;
pub mod target;
mod text;
mod time;
mod token;
mod trace;
mod visit;

#[cfg(feature = "testing")]
pub mod testing;

pub use access::{Actor, Bounds, InvalidNetwork, InvalidScope, Scope, Scopes};
pub use account::{Account, Email, InvalidEmail, InvalidRole, Role, Session};
pub use audit::{Action, AuditEntry, Author, InvalidObjectId, ObjectId};
pub use click::{BatchId, Click, ClickBatch, DecodeError, Network, VisitorHash, VisitorKey};
pub use domain::{Domain, InvalidDomain};
pub use error::StoreError;
pub use id::{AccountId, ApiKeyId, AuditId, ClickId, InvalidId, LinkId, ProducerId, SessionId};
pub use ipnet::IpNet;
#[cfg(feature = "journal")]
pub use journal::JournalConfig;
pub use key::ApiKey;
pub use link::{
    Field, Forward, InvalidLifetime, InvalidMaxVisits, InvalidRedirect, Lifetime, Link, LinkEdit, MaxVisits,
    RedirectKind, StoredLink,
};
pub use mac::MacKey;
pub use new_link::{InvalidSlugLength, Likeness, NewLink, Past, SlugLength};
pub use pace::Pace;
pub use pass::Pass;
pub use password::{
    HashCost, InvalidHashCost, InvalidLinkPassword, InvalidPassword, InvalidPasswordHash, LinkPassword, Password,
    PasswordHash,
};
pub use policy::TargetPolicy;
pub use random::{Entropy, EntropyExt, RandomSlugs, SeededEntropy, SlugSource, SystemEntropy, WithoutWords};
pub use shortener::{
    AccountListing, AuditListing, AuthError, Begun, BuildError, Counters, Created, DeadLetterId, Durability, Error,
    Gauges, GlobalStats, InvalidDeadLetterId, KeyListing, LinkStats, Listing, Login, NewKey, Orphans, QueueDepth,
    Recorded, Shortener, ShortenerBuilder, TICKET_LIFETIME, Unacknowledged, Unlocked,
};
pub use slug::{InvalidSlug, InvalidSlugCase, Slug, SlugCase, SlugRules};
pub use stores::Stores;
pub use target::{InvalidTarget, TargetRules, TargetUrl};
pub use text::{AuditDetail, ClientName, InvalidText, KeyName, Note, Tag, Tags, Title};
pub use time::{Clock, FakeClock, InvalidTimestamp, SystemClock, Timestamp};
pub use token::{InvalidToken, KeyToken, PasswordTicket, SessionToken, Token, TokenDigest, TokenId};
pub use trace::{TraceContext, Tracer};
pub use visit::{Outcome, Purpose, Redirect, Visit, Visitor};
