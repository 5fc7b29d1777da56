//! Starts the real servers that tests use. For tests only: what goes wrong here panics and says why.
//!
//! Each server listens on random ports of 127.0.0.1 and keeps all it has in a folder of its own. A guardian (`guardian.sh`) holds it: when
//! the test process ends, however it ends, the server is killed and the folder removed. So a server may be kept in a static, and one is
//! enough for a test program:
//!
//! ```no_run
//! use docmill_testbed::{Postgres, SeaweedFs};
//!
//! let postgres = Postgres::shared(); // started by the first test that asks
//! let url = postgres.url(&postgres.create_database());
//!
//! let own = SeaweedFs::start(); // for tests that kill it
//! own.kill();
//! own.start_again();
//! ```
//!
//! `scripts/servers` installs what is missing, in versions pinned there; where `CI=true` the tests fail instead, since there the
//! installation is a stage of its own.
//!
//! A further server is a function in `scripts/servers` and a file here: a `Server` made of a command, a wait until it answers, and what a
//! test needs of its own (a database, a bucket).

mod authority;
mod install;
mod moto;
mod nats;
mod ports;
mod postgres;
mod rabbitmq;
mod seaweedfs;
mod server;

pub use self::{moto::Moto, nats::Nats, postgres::Postgres, rabbitmq::RabbitMq, seaweedfs::SeaweedFs};
