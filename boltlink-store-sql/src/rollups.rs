//! The rows that rollups are written as, in the order of their keys: neighbours share pages, and whoever writes the same
//! ones waits instead of holding up others in a circle.

use std::collections::{BTreeMap, HashMap};

use boltlink_core::{
    LinkId, StoreError,
    store::Dimension,
    tally::{LinkDay, Tally, ValueClicks},
};
use sea_orm::QueryResult;

use crate::{
    Error,
    analytics::GLOBAL,
    row::{Columns, signed},
};

/// A link and a day.
type Group = (LinkId, i64);

/// The rows of `rollup_hour`: link, hour, clicks. Those of all links together come first.
pub fn hours(tally: &Tally) -> impl Iterator<Item = (LinkId, i64, i64)> {
    let global = tally.hours_of_all().map(|(hour, clicks)| (GLOBAL, hour, clicks));
    global.chain(tally.hours()).map(|(link, hour, clicks)| (link, hour, signed(clicks)))
}

/// What is stored of values of some links and days.
#[derive(Debug)]
pub struct StoredValues(HashMap<Group, String>);

impl StoredValues {
    /// Reads rows of `rollup_values`: link, day, clicks by value.
    ///
    /// # Errors
    /// If they have other columns.
    pub fn read(rows: &[QueryResult]) -> Result<Self, Error> {
        let row = |row| {
            let row = Columns(row);
            Ok(((LinkId::from_uuid(row.uuid(0)?), row.at(1)?), row.at(2)?))
        };
        rows.iter().map(row).collect::<Result<_, Error>>().map(Self)
    }

    /// What the row of a link and day is to have: its clicks by value, those that were stored included.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if what is stored cannot be read: clicks of this link and day then wait apart, all others count.
    pub fn row_of(&self, day: &LinkDay<'_>) -> Result<String, Error> {
        let group = (day.link, day.day);
        let added = |stored: Option<&String>| {
            let mut clicks = stored.map_or_else(|| Ok(ByValue::default()), |text| ByValue::read(text))?;
            clicks.add(&day.values);
            clicks.to_text()
        };
        added(self.0.get(&group)).map_err(|why| damaged(group, &why))
    }
}

fn damaged((link, day): Group, why: &serde_json::Error) -> Error {
    let reason = format!(
        "what rollup_values has of the link {link} and the day {day} cannot be read ({why}); mend it (JSON: clicks by \
         dimension and value, {{\"1\":{{\"example.com\":3}}}}), or delete it, which forgets the referrers and languages counted so \
         far; then replay"
    );
    Error::Answer(StoreError::Invalid { reason })
}

/// The clicks of a link and day by the dimension's code and the value. Dimensions that only a newer release knows stay.
#[derive(Debug, Default)]
struct ByValue(BTreeMap<i16, BTreeMap<String, u64>>);

impl ByValue {
    fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(Self)
    }

    fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&self.0)
    }

    /// Adds clicks. Those of values for which a dimension has no room become [`Dimension::OTHER`]'s.
    fn add(&mut self, values: &[ValueClicks<'_>]) {
        for ValueClicks { dimension, value, clicks } in values {
            let kept = self.0.entry(dimension.code()).or_default();
            let sum = if let Some(sum) = kept.get_mut(*value) {
                sum
            } else {
                let used = kept.len() - usize::from(kept.contains_key(Dimension::OTHER));
                let value = if used < Dimension::MAX_VALUES { value } else { Dimension::OTHER };
                kept.entry(value.to_owned()).or_default()
            };
            *sum = sum.saturating_add(*clicks);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn clicks(dimension: Dimension, value: &str, clicks: u64) -> ValueClicks<'_> {
        ValueClicks { dimension, value, clicks }
    }

    #[test]
    fn what_a_newer_release_counts_stays() {
        let mut kept = ByValue::read(r#"{"1":{"a.example":2},"7":{"tablet":3}}"#).unwrap();
        kept.add(&[clicks(Dimension::Referrer, "a.example", 1), clicks(Dimension::Language, "", 4)]);
        assert_eq!(kept.to_text().unwrap(), r#"{"1":{"a.example":3},"2":{"":4},"7":{"tablet":3}}"#);
    }

    #[test]
    fn rubbish_is_refused_by_name() {
        for text in ["", "{}}", "[]", r#"{"1":{"a":-1}}"#, r#"{"1":{"a":1.5}}"#, r#"{"x":{}}"#] {
            let error = damaged((LinkId::from_uuid(Uuid::nil()), 20_000), &ByValue::read(text).unwrap_err());
            assert!(error.to_string().contains("the day 20000 cannot be read"), "{error}");
        }
    }

    proptest! {
        /// However it comes, nothing is lost, and no dimension has more values than it may.
        #[test]
        fn clicks_add_up(parts in prop::collection::vec((any::<bool>(), "[a-c\"\\\\é\u{1}]{0,4}", 1..1_000_u64), 0..600)) {
            let dimension = |language| if language { Dimension::Language } else { Dimension::Referrer };
            let mut kept = ByValue::default();
            for (language, value, count) in &parts {
                kept.add(&[clicks(dimension(*language), value, *count)]);
                kept = ByValue::read(&kept.to_text().unwrap()).unwrap();
            }
            for which in Dimension::ALL {
                let mut model: BTreeMap<String, u64> = BTreeMap::new();
                for (_, value, count) in parts.iter().filter(|part| dimension(part.0) == which) {
                    *model.entry(value.clone()).or_default() += count;
                }
                let kept = kept.0.remove(&which.code()).unwrap_or_default();
                prop_assert_eq!(kept.values().sum::<u64>(), model.values().sum::<u64>());
                if model.len() <= Dimension::MAX_VALUES {
                    prop_assert_eq!(kept, model);
                } else {
                    prop_assert_eq!(kept.len(), Dimension::MAX_VALUES + 1);
                    prop_assert!(kept.iter().all(|(value, sum)| value == Dimension::OTHER || model[value] >= *sum));
                }
            }
        }
    }
}
