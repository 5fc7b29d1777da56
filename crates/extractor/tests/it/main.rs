//! The extractor as its users have it: the built program, behind the pool.

mod corpus;
mod formats;
mod hostile;
mod links;
mod pool;
mod rig;
