//! Why a catalog cannot be opened, each in one sentence that says what to do.

use std::{fmt::Display, io::ErrorKind, time::Duration};

use sqlx::Error;

use crate::{
    config::{PostgresConfig, Tls},
    error::CatalogError,
};

/// The server as a person would name it.
pub(crate) struct Server {
    at: String,
    database: String,
    user: String,
    secret: &'static str,
}

impl Server {
    pub(crate) fn of(config: &PostgresConfig) -> Self {
        let secret = match (config.iam_auth, &config.password_file) {
            (true, _) => "that the role is granted rds_iam, and that the AWS identity may rds-db:connect as it",
            (false, Some(_)) => "the file that catalog.password_file names",
            (false, None) => "catalog.password",
        };
        Self {
            at: format!("{}:{}", config.host, config.port),
            database: config.database.clone(),
            user: config.user.clone(),
            secret,
        }
    }

    pub(crate) fn silent(&self, patience: Duration) -> CatalogError {
        CatalogError::Start(format!(
            "the database server {} did not answer within {} seconds; check catalog.host, catalog.port and what filters the network \
             between",
            self.at,
            patience.as_secs()
        ))
    }

    /// For the first connection.
    pub(crate) fn refused(&self, error: Error) -> CatalogError {
        let Self { at, database, user, secret } = self;
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        CatalogError::Start(match (&error, code.as_str()) {
            // What rustls has against a certificate comes as data that cannot be right.
            (Error::Io(source), _) if source.kind() == ErrorKind::InvalidData => self.unsecured(source),
            (Error::Tls(source), _) => self.unsecured(source),
            (Error::Io(source), _) => {
                format!(
                    "the database server {at} cannot be reached: {source}; check catalog.host and catalog.port, and that it runs"
                )
            }
            (_, "28P01" | "28000") => {
                format!("{at} does not let the user {user} in: {}; check catalog.user and {secret}", message(&error))
            }
            (_, "3D000") => {
                format!(
                    "{at} has no database {database}; create it (CREATE DATABASE {database} OWNER {user}), or check catalog.database"
                )
            }
            (_, "42501") => {
                format!(
                    "{at} does not let the user {user} into the database {database}; GRANT CONNECT ON DATABASE {database} TO {user}"
                )
            }
            _ => format!("the database server {at} cannot be used: {}; check the section [catalog]", message(&error)),
        })
    }

    fn unsecured(&self, source: &dyn Display) -> String {
        format!("the connection to {} cannot be secured: {source}; check catalog.tls and catalog.tls_ca", self.at)
    }

    /// For the schema.
    pub(crate) fn not_migrated(&self, error: CatalogError) -> CatalogError {
        let Self { database, user, .. } = self;
        match &error {
            CatalogError::Query(Error::Database(source)) if source.code().as_deref() == Some("42501") => {
                CatalogError::Start(format!(
                    "the user {user} may not make tables in the database {database}: {}; GRANT CREATE, USAGE ON SCHEMA public TO {user}, or \
                 migrate as another role and set catalog.migrate = \"wait\" here",
                    source.message()
                ))
            }
            _ => error,
        }
    }
}

/// Settings that contradict each other.
pub(crate) fn check(config: &PostgresConfig) -> Result<Tls, CatalogError> {
    let refuse = |sentence: &str| Err(CatalogError::Start(sentence.into()));
    let secrets = [config.iam_auth, config.password.is_some(), config.password_file.is_some()];
    if secrets.iter().filter(|&&set| set).count() > 1 {
        return refuse("catalog.password, catalog.password_file and catalog.iam_auth exclude each other; keep one");
    }
    if config.max_connections == 0 {
        return refuse("catalog.max_connections must be at least 1");
    }
    let tls = config.tls.unwrap_or(if config.tls_ca.is_some() { Tls::VerifyFull } else { Tls::Prefer });
    match (tls, &config.tls_ca) {
        (Tls::VerifyCa | Tls::VerifyFull, None) => refuse(
            "catalog.tls verifies the server's certificate, but catalog.tls_ca names no authority to trust; set it to a PEM file \
             (/etc/ssl/certs/ca-certificates.crt for the system's)",
        ),
        (Tls::Disable | Tls::Prefer | Tls::Require, Some(_)) => refuse(
            "catalog.tls_ca is only looked at with catalog.tls = \"verify-ca\" or \"verify-full\"; set that, or leave catalog.tls out",
        ),
        _ if config.iam_auth && matches!(tls, Tls::Disable | Tls::Prefer) => refuse(
            "catalog.iam_auth sends a token that must not be read on its way; set catalog.tls_ca, or catalog.tls = \"require\"",
        ),
        _ => Ok(tls),
    }
}

/// What the server said, without what sqlx says around it.
fn message(error: &Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
