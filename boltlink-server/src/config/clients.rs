//! The kinds of values that say who may come, from where and how often, and where links may lead.

use std::{num::NonZeroU32, str::FromStr, time::Duration};

use boltlink_core::{
    Bounds, HashCost, InvalidHashCost, IpNet,
    policy::{InvalidPrivateTargets, PrivateTargets},
    store::Quota,
};
use boltlink_server::{BaseUrl, InvalidProxyHeader, InvalidRegistration, ProxyHeader, Registration};

use crate::duration;

use super::value::{Value, Wrong, items, quoted};

/// Sites, as browsers name them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SiteOrigins(pub(crate) Vec<BaseUrl>);

impl Value for SiteOrigins {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let origin = |item| BaseUrl::from_str(item).map_err(|error| Wrong::new(format!("'{item}' {error}")));
        Ok(Self(items(text).map(origin).collect::<Result<_, _>>()?))
    }

    fn to_toml(&self) -> Option<String> {
        let list: Vec<_> = self.0.iter().map(quoted).collect();
        (!list.is_empty()).then(|| format!("[{}]", list.join(", ")))
    }
}

impl Value for PrivateTargets {
    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|error: InvalidPrivateTargets| Wrong::new(error.to_string()))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self))
    }
}

/// Networks of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Networks(pub(crate) Vec<IpNet>);

impl Value for Networks {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let network = |item| Bounds::network(item).map_err(|error| Wrong::new(format!("'{item}' {error}")));
        Ok(Self(items(text).map(network).collect::<Result<_, _>>()?))
    }

    fn to_toml(&self) -> Option<String> {
        let list: Vec<_> = self.0.iter().map(quoted).collect();
        (!list.is_empty()).then(|| format!("[{}]", list.join(", ")))
    }
}

impl Value for ProxyHeader {
    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|error: InvalidProxyHeader| Wrong::new(error.to_string()))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self.as_str()))
    }
}

/// How often something may happen; `None`: as often as it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) Option<Quota>);

impl Rate {
    const PERIODS: [(&str, u64); 4] = [("s", 1), ("min", 60), ("h", 3_600), ("d", 86_400)];
}

impl Value for Rate {
    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.trim() == "off" {
            return Ok(Self(None));
        }
        let read = || {
            let (rate, period) = text.split_once('/')?;
            let (_, seconds) = Self::PERIODS.into_iter().find(|(name, _)| *name == period.trim())?;
            Quota::new(rate.trim().parse().ok()?, Duration::from_secs(seconds))
        };
        let wrong = "must be off, or a whole number, a slash and s, min, h or d; at most 1000000/s";
        read().map(|quota| Self(Some(quota))).ok_or_else(|| Wrong::new(wrong))
    }

    fn to_toml(&self) -> Option<String> {
        let shown = |quota: Quota| {
            let period = Self::PERIODS.into_iter().find(|(_, seconds)| quota.period().as_secs() == *seconds);
            format!("{}/{}", quota.rate(), period.map_or("s", |(name, _)| name))
        };
        Some(quoted(self.0.map_or_else(|| "off".to_owned(), shown)))
    }
}

impl Value for Registration {
    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|error: InvalidRegistration| Wrong::new(error.to_string()))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self.as_str()))
    }
}

impl Value for HashCost {
    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|error: InvalidHashCost| Wrong::new(error.to_string()))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self))
    }
}

/// How long a session lasts that is not used: 5 minutes, as uses are written down once a minute, to 400 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionLifetime(pub(crate) Duration);

impl Value for SessionLifetime {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let time = duration::parse(text).map_err(Wrong::new)?;
        if time < Duration::from_secs(300) || time > Duration::from_secs(400 * 86_400) {
            return Err(Wrong::new("must be between 5m and 400d"));
        }
        Ok(Self(time))
    }

    fn to_toml(&self) -> Option<String> {
        let seconds = self.0.as_secs();
        Some(match seconds % 86_400 {
            0 => quoted(format_args!("{}d", seconds / 86_400)),
            _ => quoted(format_args!("{seconds}s")),
        })
    }
}

/// How many nodes there are: 1 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeCount(pub(crate) NonZeroU32);

impl Value for NodeCount {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let count = text.parse().ok().filter(|count: &NonZeroU32| count.get() <= 1_000);
        count.map(Self).ok_or_else(|| Wrong::new("must be a whole number from 1 to 1000"))
    }

    fn to_toml(&self) -> Option<String> {
        Some(quoted(self.0))
    }
}
