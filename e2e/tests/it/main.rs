//! The built programs, as their users meet them.

mod kill;
mod random_kills;
