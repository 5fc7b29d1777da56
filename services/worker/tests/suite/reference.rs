//! The page of settings says what the program says.

use std::{collections::BTreeMap, fs};

use docmill_queue::IntakeConfig;
use serde_json::Value;

#[test]
fn the_page_names_each_setting_of_the_intake_with_its_default() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/configuration.md")).unwrap();
    let section = page.split("## `[intake]`").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let mut cells = line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).skip(1);
        (cells.next().unwrap(), cells.next().unwrap())
    });
    let Value::Object(settings) = serde_json::to_value(IntakeConfig::default()).unwrap() else { panic!("it is a table") };
    let text = |value: Value| if value.is_null() { String::new() } else { value.to_string() };
    assert_eq!(rows.collect::<BTreeMap<_, _>>(), settings.into_iter().map(|(key, value)| (key, text(value))).collect());
}
