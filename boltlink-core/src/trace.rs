//! Traces: what one request comes to, from the visit to the click that is stored.
//!
//! The engine makes spans with [`tracing`]; what becomes of them is the program's to say. A click is stored long after its
//! visit is answered, together with many others and mostly by another process: so it takes its visit's name along, and
//! whoever stores it [links](Tracer::storing) to that.

use std::fmt;

use tracing::Span;

use crate::store::Consumer;

/// A span of a trace that is kept, as W3C Trace Context names them: <https://www.w3.org/TR/trace-context/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: [u8; 16],
    /// Its span.
    pub span_id: [u8; 8],
}

impl TraceContext {
    /// Bytes that it takes in a batch of clicks.
    pub(crate) const LEN: usize = 24;
    /// How many a batch has at most, and how many are linked to at once: more would tell nobody more.
    pub(crate) const MOST: usize = 64;
}

impl fmt::Display for TraceContext {
    /// As the header `traceparent` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.span_id));
        write!(f, "00-{trace:032x}-{span:016x}-01")
    }
}

/// Makes spans of what does not happen within a request.
pub trait Tracer: Send + Sync {
    /// A span for storing clicks, linked to those of the `visits` among theirs that are traced: some of them at least, never
    /// none.
    fn storing(&self, consumer: Consumer, visits: &[TraceContext]) -> Span;
}
