//! RDS IAM tokens: a presigned `rds-db:connect`, sent as the password. It costs no request; only the credentials it is signed with may.

use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4::SigningParams,
};

use crate::{
    config::PostgresConfig,
    dialect::escaped,
    error::{CatalogError, Result},
};

/// RDS takes a token for so long.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// Tokens for one role on one server.
pub(crate) struct IamTokens {
    provider: SharedCredentialsProvider,
    region: String,
    host: String,
    port: u16,
    user: String,
}

impl IamTokens {
    pub(crate) async fn of(config: &PostgresConfig) -> Result<Self> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = &config.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let aws = loader.load().await;
        let refuse = |what: &str| CatalogError::Start(format!("catalog.iam_auth needs {what}"));
        Ok(Self {
            provider: aws.credentials_provider().ok_or_else(|| refuse("AWS credentials, and the SDK finds none"))?,
            region: aws.region().ok_or_else(|| refuse("a region; set catalog.region or AWS_REGION"))?.to_string(),
            host: config.host.clone(),
            port: config.port,
            user: config.user.clone(),
        })
    }

    /// A token that is good from now on.
    pub(crate) async fn token(&self) -> Result<String> {
        let credentials = self.provider.provide_credentials().await;
        let refuse = |error: &dyn std::error::Error| {
            let mut causes = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                causes = format!("{causes}: {cause}");
                source = cause.source();
            }
            CatalogError::Start(format!(
                "catalog.iam_auth finds no AWS credentials to sign with ({causes}); give this process an AWS identity"
            ))
        };
        self.signed(credentials.map_err(|error| refuse(&error))?, SystemTime::now())
    }

    fn signed(&self, credentials: Credentials, at: SystemTime) -> Result<String> {
        let refuse = |error: String| CatalogError::Start(format!("an RDS IAM token cannot be signed: {error}"));
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(LIFE);
        let identity = credentials.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("rds-db")
            .time(at)
            .settings(settings)
            .build()
            .map_err(|error| refuse(error.to_string()))?;
        let request = format!("{}:{}/?Action=connect&DBUser={}", self.host, self.port, escaped(&self.user));
        let url = format!("https://{request}");
        let signable = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]))
            .map_err(|error| refuse(error.to_string()))?;
        let (instructions, _) = sign(signable, &params.into()).map_err(|error| refuse(error.to_string()))?.into_parts();
        let mut token = request;
        for (name, value) in instructions.params() {
            token.push_str(&format!("&{name}={}", encoded(value)));
        }
        Ok(token)
    }
}

/// As in the signed request: a slash is escaped, too.
fn encoded(value: &str) -> String {
    escaped(value).to_string().replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What botocore's `generate_db_auth_token` makes of the same credentials at the same second.
    const BOTOCORES: &str = "db.example.eu-central-1.rds.amazonaws.com:5432/?Action=connect&DBUser=doc%20mill\
        &X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261121%2Feu-central-1%2Frds-db%2Faws4_request\
        &X-Amz-Date=20261121T184817Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Security-Token=to%2Fken%2B%3D\
        &X-Amz-Signature=2d6b251ced479817845b87a57619adcf867e2670ffa4521553d96f9a1de2caa5";

    #[test]
    fn a_token_is_the_one_that_aws_own_client_makes() {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIDEXAMPLE", secret, Some("to/ken+=".into()), None, "test");
        let tokens = IamTokens {
            provider: SharedCredentialsProvider::new(credentials.clone()),
            region: "eu-central-1".into(),
            host: "db.example.eu-central-1.rds.amazonaws.com".into(),
            port: 5432,
            user: "doc mill".into(),
        };
        let token = tokens.signed(credentials, SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_286_897)).unwrap();
        // Their order is free.
        let parts = |token: &str| {
            let mut parts: Vec<String> = token.split('&').map(str::to_owned).collect();
            parts.sort();
            parts
        };
        assert_eq!(parts(&token), parts(BOTOCORES));
    }
}
