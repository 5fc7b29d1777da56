//! What the end-to-end tests stand on: the built program on a folder of its own, a client that behaves like a careful client, and a look
//! at what is left on the disk when all is done.

pub mod client;
pub mod docmill;
pub mod remains;
