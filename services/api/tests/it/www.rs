//! The static site, out of a real bucket, with keys that may only read.

use aws_sdk_s3::{Client, primitives::ByteStream};
use docmill_api::{ApiConfig, WwwConfig, open_site};
use docmill_blob::{BlobConfig, S3Config, s3_client};
use docmill_domain::options::Secret;
use docmill_testbed::SeaweedFs;
use reqwest::{Response, StatusCode, header};

use crate::support::{Database, TestApi};

/// A bucket with a site in it; the API that serves the site.
struct TestSite {
    api: TestApi,
    address: std::net::SocketAddr,
    store: Client,
    bucket: String,
}

impl TestSite {
    async fn start() -> Self {
        let server = SeaweedFs::shared();
        let bucket = server.create_bucket();
        let secret = |text: &str| Some(Secret(text.into()));
        let blob = S3Config {
            region: "us-east-1".into(),
            endpoint: Some(server.endpoint()),
            path_style: true,
            access_key_id: secret(server.keys().0),
            secret_access_key: secret(server.keys().1),
            ..S3Config::new(&bucket)
        };
        let store = s3_client(&blob).await.unwrap();
        let (reader, readers) = server.reader_keys();
        let config = ApiConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            www: WwwConfig {
                prefix: Some("www/".into()),
                access_key_id: secret(reader),
                secret_access_key: secret(readers),
                max_age_seconds: 90,
            },
            ..ApiConfig::default()
        };
        let site = open_site(&config, &BlobConfig::S3(Box::new(blob))).await.unwrap();
        let api = TestApi::start(Database::Sqlite).await;
        let bound = docmill_api::bind(&config, api.pipeline.clone(), site, api.health.clone(), &api.lifecycle).await.unwrap();
        let address = bound.address;
        tokio::spawn(bound.run());
        let site = Self { api, address, store, bucket };
        site.put("www/index.html", "<p>hello").await;
        site.put("www/guide/index.html", "<p>a guide").await;
        site.put("www/guide/style.css", "p { color: red }").await;
        site.put("outside.html", "a secret").await;
        site
    }

    async fn put(&self, key: &str, text: &str) {
        let body = ByteStream::from(text.as_bytes().to_vec());
        self.store.put_object().bucket(&self.bucket).key(key).body(body).send().await.unwrap();
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let request = client.get(format!("http://{}{path}", self.address));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
    }
}

fn told(response: &Response, name: header::HeaderName) -> &str {
    response.headers().get(&name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn files_are_served_as_a_site() {
    let site = TestSite::start().await;
    for (path, media_type, text) in [
        ("/www/", "text/html; charset=utf-8", "<p>hello"),
        ("/www/index.html", "text/html; charset=utf-8", "<p>hello"),
        ("/www/guide/", "text/html; charset=utf-8", "<p>a guide"),
        ("/www/guide/style.css", "text/css; charset=utf-8", "p { color: red }"),
    ] {
        let response = site.get(path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(told(&response, header::CONTENT_TYPE), media_type);
        assert_eq!(told(&response, header::CACHE_CONTROL), "public, max-age=90");
        assert_eq!(told(&response, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert!(told(&response, header::CONTENT_SECURITY_POLICY).starts_with("default-src 'self';"));
        assert_eq!(response.text().await.unwrap(), text);
    }
    for (path, to) in [("/www", "/www/"), ("/www/guide", "/www/guide/")] {
        let response = site.get(path, &[]).await;
        assert!(response.status().is_redirection(), "{path}");
        assert_eq!(told(&response, header::LOCATION), to);
    }
    for path in ["/www/none.html", "/www/..%2Foutside.html", "/www/%2e%2e/outside.html", "/www//outside.html", "/www/guide%00"] {
        let response = site.get(path, &[]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(!response.text().await.unwrap().contains("a secret"), "{path}");
    }
    let posted = reqwest::Client::new().post(format!("http://{}/www/index.html", site.address)).send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    // Without a site there is nothing.
    assert_eq!(site.api.get("/www/").send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_client_that_knows_a_file_is_not_sent_it_again() {
    let site = TestSite::start().await;
    let first = site.get("/www/", &[]).await;
    let tag = told(&first, header::ETAG).to_owned();
    let known = site.get("/www/", &[("if-none-match", &tag)]).await;
    assert_eq!((known.status(), told(&known, header::CACHE_CONTROL)), (StatusCode::NOT_MODIFIED, "public, max-age=90"));
    let head = reqwest::Client::new().head(format!("http://{}/www/", site.address)).send().await.unwrap();
    assert_eq!((told(&head, header::ETAG), told(&head, header::CONTENT_LENGTH)), (&*tag, "8"));

    let part = site.get("/www/", &[("range", "bytes=3-5"), ("if-range", &tag)]).await;
    assert_eq!((part.status(), told(&part, header::CONTENT_RANGE)), (StatusCode::PARTIAL_CONTENT, "bytes 3-5/8"));
    assert_eq!(part.text().await.unwrap(), "hel");
    let outside = site.get("/www/", &[("range", "bytes=8-")]).await;
    assert_eq!(outside.status(), StatusCode::RANGE_NOT_SATISFIABLE);

    site.put("www/index.html", "<p>new").await;
    let changed = site.get("/www/", &[("if-none-match", &tag)]).await;
    assert_ne!(told(&changed, header::ETAG), tag);
    assert_eq!(changed.text().await.unwrap(), "<p>new");
    let part = site.get("/www/", &[("range", "bytes=3-5"), ("if-range", &tag)]).await;
    assert_eq!((part.status(), part.text().await.unwrap()), (StatusCode::OK, "<p>new".to_owned()));
}

#[tokio::test]
async fn a_site_that_cannot_be_is_told_at_start() {
    let refused = async |change: fn(&mut WwwConfig)| {
        let mut config =
            ApiConfig { www: WwwConfig { prefix: Some("www/".into()), ..WwwConfig::default() }, ..ApiConfig::default() };
        change(&mut config.www);
        open_site(&config, &BlobConfig::File { folder: "x".into() }).await.unwrap_err().to_string()
    };
    assert_eq!(refused(|_| {}).await, "a site is served from a bucket, but blob.kind is not s3");
    assert!(refused(|www| www.prefix = Some("/etc".into())).await.starts_with("api.www.prefix is `/etc`, but takes names"));
    assert!(refused(|www| www.access_key_id = Some(Secret("x".into()))).await.ends_with("belong together; set both or neither"));
}
