//! What Terraform makes on AWS, and the configuration that it gives to the chart, are what docmill-provision is content with and what API
//! and worker run on. Both come from a plan of `terraform/modules/docmill-aws` (`terraform/tests/contract`, which scripts/terraform-test
//! compares). moto stands for AWS, and PostgreSQL for RDS, which takes a password where RDS would take a token of IAM.

mod maker;

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

use aws_sdk_sqs::types::QueueAttributeName;
use docmill_e2e::{
    client::{Upload, settled, submit},
    cluster,
    process::{Process, program},
};
use docmill_testbed::{Moto, Postgres};
use reqwest::{Client, header};
use serde_json::{Value, json};

use self::maker::{KEYS, Maker};

const FIRST_KEY: &str = "dmk_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The database as README.md of the module has the master user make it, but for passwords. The testbed's superuser makes way.
fn database(postgres: &Postgres) {
    let psql = |user: &str, password: &str, database: &str, sql: &str| {
        let mut psql = postgres.client("psql");
        psql.env("PGUSER", user).env("PGPASSWORD", password).args(["-XAtq", "-d", database, "-c", sql]);
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{sql}: {output:?}");
    };
    psql(postgres.user(), postgres.password(), "postgres", "CREATE ROLE master SUPERUSER LOGIN PASSWORD 'master'");
    for sql in [
        "ALTER ROLE docmill RENAME TO testbed",
        "CREATE ROLE docmill_owner LOGIN PASSWORD 'of the owner'",
        "CREATE ROLE docmill LOGIN PASSWORD 'of the programs'",
        "CREATE DATABASE docmill",
        "ALTER DATABASE docmill OWNER TO docmill_owner",
    ] {
        psql("master", "master", "postgres", sql);
    }
}

/// The configuration as Terraform gives it, with what only an account knows: addresses, and credentials in place of roles.
fn configuration(planned: &Value, maker: &Maker, moto: &Moto, postgres: &Postgres) -> String {
    let mut config = planned.clone();
    let queue = |name: &str| maker.url(&format!("docmill-dev-{name}"));
    let account = json!({
        "blob": {"bucket": maker.bucket(), "endpoint": moto.endpoint(), "path_style": true},
        "queue": {"interactive_url": queue("interactive"), "bulk_url": queue("bulk"), "endpoint": moto.endpoint()},
        "intake": {"queue_url": queue("intake"), "endpoint": moto.endpoint()},
        "catalog": {"host": postgres.host(), "port": postgres.port(), "iam_auth": false, "password": "of the programs"},
        // Asked for where the store is AWS's own, which moto's address hides.
        "provision": {"catalog_password": "of the owner", "encryption": true},
    });
    for (section, settings) in account.as_object().unwrap() {
        for (key, value) in settings.as_object().unwrap() {
            config[section][key] = value.clone();
        }
    }
    for section in ["blob", "queue", "intake"] {
        (config[section]["access_key_id"], config[section]["secret_access_key"]) = (KEYS.0.into(), KEYS.1.into());
    }
    let mut toml = String::new();
    for (section, settings) in config.as_object().unwrap() {
        toml += &format!("[{section}]\n");
        settings.as_object().unwrap().iter().for_each(|(key, value)| toml += &format!("{key} = {value}\n"));
    }
    toml
}

/// Runs a command of docmill-provision as the chart's Job does where Terraform owns the resources; its exit code, and the plan.
fn provision(folder: &Path, arguments: &[&str]) -> (Option<i32>, BTreeMap<String, String>) {
    let mut command = Command::new(program("docmill-provision"));
    command.args(arguments).arg("--json").current_dir(folder).env("DOCMILL_PROVISION__CHECK_ONLY", "bucket,queue,database");
    let output = command.output().unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let steps = plan["resources"].as_array().unwrap().iter().map(|step| (text(&step["resource"]), text(&step["action"])));
    (output.status.code(), steps.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_terraform_makes_and_says_runs_docmill() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform/tests/contract/arguments.json");
    let plan: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let (moto, postgres, folder) = (Moto::start(), Postgres::start(), tempfile::tempdir().unwrap());
    let maker = Maker::make(&moto, plan["resources"].as_object().unwrap()).await;
    database(&postgres);
    let toml = configuration(&plan["config"], &maker, &moto, &postgres);
    fs::write(folder.path().join("docmill.toml"), toml).unwrap();

    // Of all that Terraform makes nothing differs; what is in the database is made.
    let (code, applied) = provision(folder.path(), &["apply", "--yes"]);
    assert_eq!(code, Some(0), "{applied:?}");
    assert_eq!(applied["database docmill: schema"], "change", "{applied:?}");
    let (code, checked) = provision(folder.path(), &["check"]);
    // moto keeps no redrive permission, and what it answers to GetBucketVersioning has a root element that AWS's does not have.
    let lacks = |name: &str| name.ends_with(": redrive permission") || name.ends_with(": versioning");
    let accepted = checked.iter().all(|(name, action)| action == if lacks(name) { "unsupported" } else { "keep" });
    assert!(code == Some(0) && checked.len() > 20 && accepted, "{checked:?}");

    let start = async |name: &'static str| {
        let mut command = Command::new(program(name));
        command.current_dir(folder.path()).env("DOCMILL_OPS__LISTEN", "127.0.0.1:0").env("DOCMILL_API__LISTEN", "127.0.0.1:0");
        // As the chart has it: the Job migrates, and nobody who serves does.
        command.env("DOCMILL_CATALOG__MIGRATE", "wait").env("DOCMILL_API__FIRST_KEY", FIRST_KEY);
        // EKS tells every pod its region.
        command.env("AWS_REGION", "eu-central-1");
        let ports: &'static [_] = if name == "docmill-api" { &[cluster::API] } else { &[cluster::OPS] };
        tokio::task::spawn_blocking(move || Process::spawn(command, ports)).await.unwrap().unwrap()
    };
    let (api, addresses) = start("docmill-api").await;
    let (worker, _) = start("docmill-worker").await;
    let bearer = [(header::AUTHORIZATION, format!("Bearer {FIRST_KEY}").parse().unwrap())];
    let http = Client::builder().default_headers(bearer.into_iter().collect()).build().unwrap();
    let promise = submit(&http, &addresses["api"], &Upload::text("contract", "agreed\n")).await.unwrap();
    let job = settled(&http, &addresses["api"], &promise.job, Duration::from_secs(30)).await.unwrap();
    assert_eq!(job["state"], "succeeded", "{job}\n{}\n{}", api.log_text(), worker.log_text());
    let result = http.get(format!("{}/v1/documents/{}/result?as=text", addresses["api"], promise.document));
    assert_eq!(result.send().await.unwrap().text().await.unwrap().trim(), "agreed");
    assert_eq!((api.complaints(), worker.complaints()), (vec![], vec![]));
    for process in [api, worker] {
        assert!(tokio::task::spawn_blocking(|| process.stop()).await.unwrap().unwrap().success());
    }

    // And it would be told otherwise.
    maker.attribute("docmill-dev-bulk", QueueAttributeName::VisibilityTimeout, "1").await;
    let (code, drifted) = provision(folder.path(), &["check"]);
    assert_eq!((code, &*drifted["queues of the lanes"]), (Some(2), "change"));
}
