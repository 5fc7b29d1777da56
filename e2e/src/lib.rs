//! What the end-to-end tests stand on: the built programs, alone on a folder or as a cluster over real servers, clients that behave
//! like careful clients, and a look at what is left when all is done.

pub mod client;
pub mod cluster;
pub mod docmill;
pub mod load;
pub mod process;
pub mod proxy;
pub mod remains;
pub mod servers;
