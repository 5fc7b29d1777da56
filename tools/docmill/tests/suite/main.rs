//! The program as a person or a script meets it: the built `docmill`, its words, its exit codes, its files.

mod convert;
mod keys;
mod reference;
mod server;
mod shutdown;
mod support;
mod words;
