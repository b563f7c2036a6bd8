//! Which passwords are good enough.

use boltlink_core::{Email, InvalidPassword, Password};
use tokio::task::JoinError;
use zxcvbn::{Score, zxcvbn};

/// Why a password was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// It is too short or too long.
    #[error(transparent)]
    Length(#[from] InvalidPassword),
    /// It is one that many have, or made in a way that many make theirs.
    #[error("is easy to guess{0}; four or more words that do not belong together are better")]
    Common(String),
}

/// A password that is long enough and not easy to guess, also for those who know the account's address: at least 3 of 4
/// in the scale of zxcvbn (Wheeler, USENIX Security 2016), which has lists of common passwords, names and words.
///
/// Takes some milliseconds of work.
///
/// # Errors
/// Why it is not.
pub fn judge(text: &str, email: Option<&Email>) -> Result<Password, WeakPassword> {
    let password: Password = text.parse()?;
    let mut known = vec!["boltlink"];
    known.extend(email.into_iter().flat_map(|email| email.as_str().split(['@', '.', '+', '-', '_'])));
    let estimate = zxcvbn(text, &known);
    // To zxcvbn many known words in a row are many guesses.
    if is_mostly(text, &known) {
        return Err(WeakPassword::Common(" (most of it is the account's address, or the service's name)".to_owned()));
    }
    if estimate.score() >= Score::Three {
        return Ok(password);
    }
    let warning = estimate.feedback().and_then(|feedback| feedback.warning());
    let why = warning.map(|warning| format!(" ({})", warning.to_string().trim_end_matches('.'))).unwrap_or_default();
    Err(WeakPassword::Common(why))
}

/// How many letters and digits have to be left of a password without what everybody knows of the account.
const LEFT: usize = 8;

/// Whether little is left of a text without these words.
fn is_mostly(text: &str, known: &[&str]) -> bool {
    let text = text.to_lowercase();
    let words = known.iter().filter(|word| word.len() >= 3);
    let left = words.fold(text.clone(), |left, word| left.replace(&word.to_lowercase(), " "));
    left != text && left.chars().filter(|c| c.is_alphanumeric()).count() < LEFT
}

/// The same on a thread for work: a request must not hold up others.
///
/// # Errors
/// If the work was cut off, as when the program ends.
pub(crate) async fn judge_apart(
    text: String,
    email: Option<Email>,
) -> Result<Result<Password, WeakPassword>, JoinError> {
    tokio::task::spawn_blocking(move || judge(&text, email.as_ref())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_many_have_are_refused() {
        let email = "ada.lovelace@analytical-engines.example".parse().unwrap();
        for good in ["correct horse battery staple", "7hK2-pq9Z-wm4X", "blau läuft der siebte Zwerg"] {
            assert!(judge(good, Some(&email)).is_ok(), "{good}");
        }
        for weak in
            ["password1234", "123456789012", "qwertyuiopas", "aaaaaaaaaaaa", "boltlinkboltlink", "ada.Lovelace1"]
        {
            assert!(matches!(judge(weak, Some(&email)), Err(WeakPassword::Common(_))), "{weak}");
        }
        assert_eq!(judge("7hK2-pq9Z", None), Err(WeakPassword::Length(InvalidPassword)));
        // A stranger does not guess it, somebody who knows the account does.
        assert!(judge("analytical-engines lovelace", Some(&email)).is_err());
    }
}
