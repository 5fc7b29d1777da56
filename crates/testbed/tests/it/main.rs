//! The servers start, take a crash, and go with the process that started them.

mod ends;
mod postgres;
mod seaweedfs;
