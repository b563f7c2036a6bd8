//! What a request makes itself depend on: a version, as an entity tag (RFC 9110 section 13.1.1), or that it has not been
//! answered before.

use boltlink_core::store::IdempotencyKey;

use super::{problem::Problem, scalar::RequestKey};

/// The key that makes a request repeatable.
pub(crate) fn idempotency_key(key: Option<RequestKey>) -> Result<Option<IdempotencyKey>, Problem> {
    key.map(|key| key.0.parse().map_err(|why| Problem::parameter("Idempotency-Key", why))).transpose()
}

/// The entity tag of a version.
pub(crate) fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The version that `If-Match` asks for; `None` if any will do.
pub(crate) fn version(if_match: Option<&str>) -> Result<Option<u64>, Problem> {
    let Some(tag) = if_match.map(str::trim).filter(|tag| *tag != "*") else { return Ok(None) };
    let (weak, quoted) = tag.strip_prefix("W/").map_or((false, tag), |rest| (true, rest));
    let Some(version) =
        quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).filter(|tag| !tag.contains('"'))
    else {
        return Err(Problem::parameter("If-Match", "must be one entity tag in double quotes, such as \"3\", or *"));
    };
    // Versions begin at 1: what is no tag of ours, or a weak one, matches none of them.
    let ours = version.bytes().all(|b| b.is_ascii_digit()) && !weak;
    Ok(Some(version.parse().ok().filter(|_| ours).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_if_match() {
        for (header, wanted) in [
            (None, None),
            (Some("*"), None),
            (Some("\"3\""), Some(3)),
            (Some("W/\"3\""), Some(0)),
            (Some("\"abc\""), Some(0)),
        ] {
            assert_eq!(version(header).unwrap(), wanted, "{header:?}");
        }
        for bad in ["3", "", "\"1\", \"2\""] {
            assert!(version(Some(bad)).is_err(), "{bad}");
        }
    }
}
