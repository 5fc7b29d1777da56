//! The page of settings says what the program says.

use std::{collections::BTreeMap, fs};

use docmill_blob::S3Config;
use serde_json::Value;

#[test]
fn the_page_names_each_setting_with_its_default() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/configuration.md")).unwrap();
    let section = page.split("## `[blob]`").nth(1).unwrap().split("\n## ").next().unwrap();
    let table = section.split("With `kind = \"s3\"`").nth(1).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let mut cells = line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).skip(1);
        (cells.next().unwrap(), cells.next().unwrap())
    });
    let Value::Object(settings) = serde_json::to_value(S3Config::new("")).unwrap() else { panic!("it is a table") };
    let settings = settings.into_iter().map(|(key, value)| match value {
        Value::Null => (key, String::new()),
        Value::String(text) => (key, text),
        other => (key, other.to_string()),
    });
    assert_eq!(rows.collect::<BTreeMap<_, _>>(), settings.collect());
}
