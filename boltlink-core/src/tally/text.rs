//! Texts that come again and again, once each.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

/// Different texts, each with a number: 0 for the first one.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: HashMap<Arc<str>, u32, RandomState>,
    texts: Vec<Arc<str>>,
    /// Bytes in all of them.
    bytes: usize,
}

impl Texts {
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let (number, text) = (self.texts.len() as u32, Arc::<str>::from(text));
        self.bytes += text.len();
        self.numbers.insert(text.clone(), number);
        self.texts.push(text);
        number
    }

    pub(super) fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    /// About how many bytes it takes.
    pub(super) const fn weight(&self) -> usize {
        self.bytes + self.texts.len() * 96
    }

    /// Forgets everything but the memory that it took.
    pub(super) fn clear(&mut self) {
        let Self { numbers, texts, bytes } = self;
        super::empty_map(numbers);
        super::empty(texts);
        *bytes = 0;
    }
}
