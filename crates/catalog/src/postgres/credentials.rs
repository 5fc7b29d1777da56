//! The URL that connections are made from, with the password of the moment. Passwords change while docmill runs: a file is rewritten by
//! whoever rotates it, and an IAM token lives 15 minutes. Open connections stay; new ones take the new password.

use std::{path::PathBuf, str::FromStr, time::Duration};

use sqlx::{AnyPool, PgPool, any::AnyConnectOptions, postgres::PgConnectOptions};

use super::{iam::IamTokens, refusal};
use crate::{
    config::{PostgresConfig, Tls},
    dialect::escaped,
    error::{CatalogError, Result},
};

/// A rewritten file is noticed within this time.
const FILE_LOOKS: Duration = Duration::from_secs(2);
/// A token is replaced when it still has two thirds of its life, so that a failure to get a new one can be mended before it matters.
const TOKEN_LOOKS: Duration = Duration::from_secs(5 * 60);

/// Where to connect, and how the password is come by.
pub(crate) struct Credentials {
    /// Everything but the password.
    base: String,
    password: Password,
}

enum Password {
    None,
    Fixed(String),
    File(PathBuf),
    Iam(IamTokens),
}

impl Credentials {
    pub(crate) async fn of(config: &PostgresConfig) -> Result<Self> {
        let tls = match refusal::check(config)? {
            Tls::Disable => "disable",
            Tls::Prefer => "prefer",
            Tls::Require => "require",
            Tls::VerifyCa => "verify-ca",
            Tls::VerifyFull => "verify-full",
        };
        let mut base = format!(
            "postgres:///?host={}&port={}&dbname={}&user={}&sslmode={tls}&application_name={}&statement-cache-capacity=256",
            escaped(&config.host),
            config.port,
            escaped(&config.database),
            escaped(&config.user),
            escaped(&program()),
        );
        if let Some(ca) = &config.tls_ca {
            let refuse = |why: &str| CatalogError::Start(format!("catalog.tls_ca, {}, cannot be read: {why}", ca.display()));
            std::fs::File::open(ca).map_err(|error| refuse(&error.to_string()))?;
            let path = ca.to_str().ok_or_else(|| refuse("its name is not UTF-8"))?;
            base.push_str(&format!("&sslrootcert={}", escaped(path)));
        }
        let password = match (&config.password, &config.password_file) {
            _ if config.iam_auth => Password::Iam(IamTokens::of(config).await?),
            (Some(password), _) => Password::Fixed(password.0.clone()),
            (None, Some(file)) => Password::File(file.clone()),
            (None, None) => Password::None,
        };
        Ok(Self { base, password })
    }

    /// Whether the password may be another one later.
    pub(crate) fn change(&self) -> bool {
        matches!(self.password, Password::File(_) | Password::Iam(_))
    }

    /// The URL with the password of this moment.
    pub(crate) async fn url(&self) -> Result<String> {
        let password = match &self.password {
            Password::None => return Ok(self.base.clone()),
            Password::Fixed(password) => password.clone(),
            Password::File(path) => {
                let read = tokio::fs::read_to_string(path).await;
                let refuse =
                    |error| CatalogError::Start(format!("catalog.password_file, {}, cannot be read: {error}", path.display()));
                // Without its last line break, as every editor leaves one or not.
                read.map_err(refuse)?.trim_end_matches(['\r', '\n']).to_owned()
            }
            Password::Iam(tokens) => tokens.token().await?,
        };
        Ok(format!("{}&password={}", self.base, escaped(&password)))
    }
}

/// Gives new connections the new password, for as long as the catalog is open.
pub(crate) async fn keep(credentials: Credentials, mut options: AnyConnectOptions, pool: AnyPool, listening: PgPool) {
    let looks = if matches!(credentials.password, Password::Iam(_)) { TOKEN_LOOKS } else { FILE_LOOKS };
    let mut failed = false;
    loop {
        tokio::time::sleep(if failed { FILE_LOOKS } else { looks }).await;
        let fresh = async { Ok::<_, CatalogError>(AnyConnectOptions::from_str(&credentials.url().await?)?) };
        match fresh.await {
            Ok(fresh) if fresh.database_url == options.database_url => failed = false,
            Ok(fresh) => match PgConnectOptions::try_from(&fresh) {
                Ok(listener) => {
                    failed = false;
                    pool.set_connect_options(fresh.clone());
                    listening.set_connect_options(listener);
                    options = fresh;
                }
                Err(error) => tracing::error!(%error, "the catalog's new password cannot be used"),
            },
            Err(error) if !failed => {
                tracing::warn!(%error, "the catalog's password could not be read again; connections are made with the last one");
                failed = true;
            }
            Err(_) => {}
        }
    }
}

/// The program's name, which the server lists with its connections.
fn program() -> String {
    let path = std::env::current_exe().ok();
    path.as_deref().and_then(|path| path.file_stem()?.to_str()).unwrap_or("docmill").to_owned()
}
