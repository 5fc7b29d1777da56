//! The built programs, as their users meet them.

mod corpus;
mod disk;
mod kill;
mod metrics;
mod random_kills;
