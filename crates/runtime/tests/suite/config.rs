//! Layers, readings, and every sentence by which a configuration is refused.

use std::{collections::BTreeMap, fs, path::PathBuf};

use docmill_runtime::config::{ConfigError, Loaded, Origin, Sources, load};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Program {
    blob: Blob,
    catalog: Catalog,
    api: Api,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Blob {
    File {
        #[serde(default = "folder")]
        folder: PathBuf,
    },
    S3 {
        bucket: String,
        #[serde(default)]
        path_style: bool,
        #[serde(default)]
        ca_file: Option<PathBuf>,
        #[serde(default)]
        access_key: Option<String>,
        #[serde(default)]
        parts: u32,
    },
}

fn folder() -> PathBuf {
    "data/blobs".into()
}

impl Default for Blob {
    fn default() -> Self {
        Self::File { folder: folder() }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Catalog {
    url: String,
    password: Option<String>,
    pool: u32,
}

impl Default for Catalog {
    fn default() -> Self {
        Self { url: "sqlite:data/catalog.db".into(), password: None, pool: 8 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Api {
    listen: String,
    limits: Limits,
    formats: Vec<String>,
}

impl Default for Api {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".into(), limits: Limits::default(), formats: vec!["pdf".into()] }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Limits {
    upload_bytes: u64,
    open: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { upload_bytes: 1 << 30, open: false }
    }
}

fn env<const N: usize>(variables: [(&str, &str); N]) -> Sources {
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Sources { env: variables.map(pair).into(), ..Sources::default() }
}

fn with_file(text: &str, mut sources: Sources) -> (Sources, TempDir) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("docmill.toml");
    fs::write(&path, text).unwrap();
    sources.file = Some(path);
    (sources, folder)
}

fn settings(loaded: &Loaded<Program>) -> BTreeMap<&str, (&str, &Origin)> {
    loaded.settings.iter().map(|setting| (setting.key.as_str(), (setting.value.as_str(), &setting.origin))).collect()
}

fn refusal(sources: &Sources) -> String {
    load::<Program>(sources).unwrap_err().to_string()
}

#[test]
fn without_any_source_the_defaults_stand() {
    let loaded = load::<Program>(&Sources::default()).unwrap();
    assert_eq!(loaded.config, Program::default());
    assert!(loaded.settings.iter().all(|setting| setting.origin == Origin::Default));
    assert_eq!(settings(&loaded)["catalog.password"].0, "");
}

#[test]
fn a_later_layer_wins_and_every_value_knows_its_layer() {
    let file = "[api]\nlisten = \"a\"\n[api.limits]\nupload_bytes = 1\nopen = true\n[catalog]\npool = 1\n[worker]\npermits = 3\n";
    let variables = env([("DOCMILL_API__LIMITS__UPLOAD_BYTES", "2"), ("DOCMILL_CATALOG__POOL", "2"), ("HOME", "/root")]);
    let (mut sources, _folder) = with_file(file, variables);
    sources.flags = vec![("catalog.pool".into(), "3".into())];
    let loaded = load::<Program>(&sources).unwrap();
    assert_eq!(loaded.config.api.limits, Limits { upload_bytes: 2, open: true });
    assert_eq!(loaded.config.catalog.pool, 3);
    let settings = settings(&loaded);
    let file = Origin::File(sources.file.clone().unwrap());
    assert_eq!(settings["api.listen"], ("a", &file));
    assert_eq!(settings["api.limits.upload_bytes"], ("2", &Origin::Environment("DOCMILL_API__LIMITS__UPLOAD_BYTES".into())));
    assert_eq!(settings["catalog.pool"], ("3", &Origin::Flag));
    assert_eq!(settings["blob.folder"], ("data/blobs", &Origin::Default));
}

#[test]
fn another_kind_drops_what_was_said_of_the_old_one() {
    let file = "[blob]\nkind = \"s3\"\nbucket = \"documents\"\n";
    let (mut sources, _folder) = with_file(file, Sources::default());
    let s3 = load::<Program>(&sources).unwrap();
    assert!(matches!(&s3.config.blob, Blob::S3 { bucket, .. } if bucket == "documents"));
    assert!(!settings(&s3).contains_key("blob.folder"));
    sources.flags = vec![("blob.folder".into(), "elsewhere".into()), ("blob.kind".into(), "file".into())];
    let back = load::<Program>(&sources).unwrap();
    assert_eq!(back.config.blob, Blob::File { folder: "elsewhere".into() });
}

/// Of another kind than the default's, the type of a value is known only to the type that is to take it.
#[test]
fn text_is_read_as_the_setting_needs_it() {
    let sources = env([
        ("DOCMILL_BLOB__KIND", "s3"),
        ("DOCMILL_BLOB__BUCKET", "2024"),
        ("DOCMILL_BLOB__PATH_STYLE", "true"),
        ("DOCMILL_BLOB__ACCESS_KEY", "12345"),
        ("DOCMILL_BLOB__PARTS", "7"),
        ("DOCMILL_CATALOG__PASSWORD", "1e5"),
        ("DOCMILL_API__FORMATS", "pdf, docx"),
        ("DOCMILL_API__LISTEN", ""),
    ]);
    let config = load::<Program>(&sources).unwrap().config;
    let access_key = Some("12345".into());
    assert_eq!(config.blob, Blob::S3 { bucket: "2024".into(), path_style: true, ca_file: None, access_key, parts: 7 });
    assert_eq!(config.catalog.password.as_deref(), Some("1e5"));
    assert_eq!(config.api.formats, ["pdf", "docx"]);
    assert_eq!(config.api.listen, Api::default().listen, "an empty variable is not set");
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "hunter2\n").unwrap();
    let path = path.to_str().unwrap();
    let mut sources = env([
        ("DOCMILL_CATALOG__PASSWORD_FILE", path),
        ("DOCMILL_BLOB__KIND", "s3"),
        ("DOCMILL_BLOB__BUCKET", "documents"),
        ("DOCMILL_BLOB__ACCESS_KEY_FILE", path),
        ("DOCMILL_BLOB__CA_FILE", path),
    ]);
    let loaded = load::<Program>(&sources).unwrap();
    assert_eq!(loaded.config.catalog.password.as_deref(), Some("hunter2"));
    let Blob::S3 { access_key, ca_file, .. } = &loaded.config.blob else { panic!("{:?}", loaded.config) };
    assert_eq!(
        (access_key.as_deref(), ca_file.as_deref()),
        (Some("hunter2"), Some(path.as_ref())),
        "`ca_file` is a key's own name"
    );
    assert_eq!(settings(&loaded)["catalog.password"].0, "[redacted]");

    sources.env.insert("DOCMILL_CATALOG__PASSWORD".into(), "x".into());
    assert_eq!(refusal(&sources), "DOCMILL_CATALOG__PASSWORD and DOCMILL_CATALOG__PASSWORD_FILE are both set; unset one");
    let missing = refusal(&env([("DOCMILL_CATALOG__PASSWORD_FILE", "/nonexistent")]));
    assert_eq!(
        missing,
        "cannot read /nonexistent, named by environment DOCMILL_CATALOG__PASSWORD_FILE: No such file or directory (os error 2)"
    );
}

#[test]
fn secrets_are_never_shown() {
    let sources =
        env([("DOCMILL_CATALOG__PASSWORD", "hunter2"), ("DOCMILL_CATALOG__URL", "postgres://me:hunter2@db:5432/docmill?a=b@c")]);
    let loaded = load::<Program>(&sources).unwrap();
    assert_eq!(settings(&loaded)["catalog.password"].0, "[redacted]");
    assert_eq!(settings(&loaded)["catalog.url"].0, "postgres://me:[redacted]@db:5432/docmill?a=b@c");
    let sources = env([
        ("DOCMILL_BLOB__KIND", "s3"),
        ("DOCMILL_BLOB__BUCKET", "b"),
        ("DOCMILL_BLOB__ACCESS_KEY", "[\"hunter2\"]"),
        ("DOCMILL_BLOB__PARTS", "x"),
    ]);
    assert!(!refusal(&sources).contains("hunter2"));
}

#[test]
fn unknown_keys_are_refused_with_their_place_and_the_nearest_known_one() {
    let (misspelt, folder) = with_file("[blob]\nfoldr = \"x\"\n", Sources::default());
    let path = folder.path().join("docmill.toml").display().to_string();
    assert_eq!(refusal(&misspelt), format!("blob.foldr (file {path}) is not a setting; did you mean blob.folder?"));
    let cases = [
        // A type that denies unknown fields, one that does not, and one below another.
        ("DOCMILL_API__LISTENS", "api.listens (environment DOCMILL_API__LISTENS) is not a setting; did you mean api.listen?"),
        (
            "DOCMILL_CATALOG__POOLS",
            "catalog.pools (environment DOCMILL_CATALOG__POOLS) is not a setting; did you mean catalog.pool?",
        ),
        (
            "DOCMILL_API__LIMITS__UPLOAD_BITES",
            "api.limits.upload_bites (environment DOCMILL_API__LIMITS__UPLOAD_BITES) is not a setting; did you mean api.limits.upload_bytes?",
        ),
        ("DOCMILL_BLOBS__FOLDER", "blobs.folder (environment DOCMILL_BLOBS__FOLDER) is not a setting; did you mean blob.folder?"),
        // The commonest slip: one underscore.
        (
            "DOCMILL_API_LISTEN",
            "DOCMILL_API_LISTEN (environment DOCMILL_API_LISTEN) is not a setting; did you mean DOCMILL_API__LISTEN?",
        ),
    ];
    for (variable, expected) in cases {
        assert_eq!(refusal(&env([(variable, "1")])), expected);
    }
    // One that no program has, in the flags.
    let sources = Sources { flags: vec![("wrker.permits".into(), "1".into())], ..Sources::default() };
    assert_eq!(refusal(&sources), "wrker.permits (flag) is not a setting; did you mean worker.permits?");
}

#[test]
fn what_kubernetes_sets_for_services_is_not_ours() {
    let sources = env([
        ("DOCMILL_API_PORT", "tcp://10.0.0.1:8080"),
        ("DOCMILL_API_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("DOCMILL_API_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("DOCMILL_API_PORT_8080_TCP_PORT", "8080"),
        ("DOCMILL_API_PORT_8080_TCP_PROTO", "tcp"),
        ("DOCMILL_API_SERVICE_HOST", "10.0.0.1"),
        ("DOCMILL_API_SERVICE_PORT", "8080"),
        ("DOCMILL_API_SERVICE_PORT_HTTP", "8080"),
        ("DOCMILL_PORT", "tcp://10.0.0.1:8080"),
        ("DOCMILL_SERVICE_HOST", "10.0.0.1"),
        ("DOCMILL_CONFIG", "/etc/docmill.toml"),
        ("DOCMILL_FAILPOINTS", ""),
    ]);
    assert_eq!(load::<Program>(&sources).unwrap().config, Program::default());
    assert!(refusal(&env([("DOCMILL_PORT", "8080")])).starts_with("DOCMILL_PORT (environment DOCMILL_PORT) is not a setting"));
}

#[test]
fn wrong_types_are_refused_in_a_sentence() {
    let cases = [
        (
            "DOCMILL_CATALOG__POOL",
            "many",
            "catalog.pool (environment DOCMILL_CATALOG__POOL) takes a whole number, zero or more, in its range, but is `many`",
        ),
        (
            "DOCMILL_API__LIMITS__UPLOAD_BYTES",
            "-1",
            "api.limits.upload_bytes (environment DOCMILL_API__LIMITS__UPLOAD_BYTES) takes a whole number, zero or more, in its range, but is `-1`",
        ),
        (
            "DOCMILL_API__LIMITS__OPEN",
            "yes",
            "api.limits.open (environment DOCMILL_API__LIMITS__OPEN) takes true or false, but is `yes`",
        ),
        ("DOCMILL_API__LIMITS", "7", "api.limits (environment DOCMILL_API__LIMITS) takes a table, but is `7`"),
        ("DOCMILL_BLOB__KIND", "tape", "blob.kind (environment DOCMILL_BLOB__KIND) takes `file` or `s3`, but is `tape`"),
        ("DOCMILL_BLOB__KIND", "s3", "section blob: missing field `bucket`"),
    ];
    for (variable, text, expected) in cases {
        assert_eq!(refusal(&env([(variable, text)])), expected);
    }
    // Within a tagged section serde knows no path; the value to blame is found all the same, beside others of open meaning.
    let sources = env([
        ("DOCMILL_BLOB__KIND", "s3"),
        ("DOCMILL_BLOB__BUCKET", "12"),
        ("DOCMILL_BLOB__ACCESS_KEY", "34"),
        ("DOCMILL_BLOB__PARTS", "many"),
    ]);
    assert_eq!(
        refusal(&sources),
        "blob.parts (environment DOCMILL_BLOB__PARTS) takes a whole number, zero or more, in its range, but is `many`"
    );
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_refused_by_name() {
    let missing = Sources { file: Some("/nonexistent.toml".into()), ..Sources::default() };
    assert!(matches!(load::<Program>(&missing), Err(ConfigError::Read { path, .. }) if path.ends_with("nonexistent.toml")));
    let (broken, folder) = with_file("[blob\n", Sources::default());
    assert!(
        refusal(&broken)
            .starts_with(&format!("{} is not TOML: TOML parse error at line 1", folder.path().join("docmill.toml").display()))
    );
}
