//! The worker on a real catalog, store and extractor: how it shares its permits, how it ends, and what it does without a broker.

mod program;
mod receiving;
mod reference;
mod support;
