//! Which idempotency keys were used, and for what.

use std::collections::{HashMap, VecDeque};

use crate::{
    id::{AccountId, LinkId},
    store::{Fingerprint, Idempotency, IdempotencyKey, Inserted},
    time::Timestamp,
};

type Name = (AccountId, IdempotencyKey);

#[derive(Debug, Default)]
pub(super) struct OnceTable {
    uses: HashMap<Name, Use>,
    /// In the order of use, for dropping.
    ages: VecDeque<(Timestamp, Name)>,
}

#[derive(Debug)]
struct Use {
    fingerprint: Fingerprint,
    link: LinkId,
    at: Timestamp,
}

impl OnceTable {
    /// The answer to a request whose key was used before and is still remembered.
    pub(super) fn answer(&self, key: &Idempotency) -> Option<Inserted> {
        let used = self.uses.get(&(key.owner, key.key.clone()))?;
        if is_over(used.at, key.at) {
            None
        } else if used.fingerprint == key.fingerprint {
            Some(Inserted::Replayed(used.link))
        } else {
            Some(Inserted::KeyReused)
        }
    }

    /// Notes that the request made `link`.
    pub(super) fn remember(&mut self, key: &Idempotency, link: LinkId) {
        let name = (key.owner, key.key.clone());
        self.ages.push_back((key.at, name.clone()));
        self.uses.insert(name, Use { fingerprint: key.fingerprint, link, at: key.at });
        while let Some((at, name)) = self.ages.pop_front_if(|(at, _)| is_over(*at, key.at)) {
            // Unless it has been used again since.
            if self.uses.get(&name).is_some_and(|used| used.at == at) {
                self.uses.remove(&name);
            }
        }
    }
}

#[cfg(test)]
impl OnceTable {
    pub(super) fn len(&self) -> usize {
        self.uses.len()
    }
}

fn is_over(used: Timestamp, now: Timestamp) -> bool {
    now >= used.plus(Idempotency::RETENTION)
}
