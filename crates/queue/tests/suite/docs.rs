//! The pages say what the code says.

use std::collections::BTreeMap;

use docmill_queue::{NatsConfig, RabbitMqConfig, SqsConfig};
use serde::Serialize;
use serde_json::Value;

use super::backend::{Backend, Differs};

const GUIDE: &str = include_str!("../../../../docs/guides/brokers.md");
const REFERENCE: &str = include_str!("../../../../docs/reference/configuration.md");

#[test]
fn the_guides_matrix_is_what_the_suite_expects() {
    type Row = (&'static str, fn(&Differs) -> bool);
    let rows: [Row; 5] = [
        ("a lane's messages come in their order", |it| it.ordered),
        ("the same outbox row twice is one message", |it| it.dedupes),
        ("its depth tells what is received and unsettled", |it| it.tells_in_flight),
        ("it takes bytes that are no text", |it| it.takes_bytes),
        ("it takes a message without a body", |it| it.takes_nothing),
    ];
    let backends = [Backend::Memory, Backend::Nats, Backend::RabbitMq, Backend::Sqs].map(Backend::differs);
    let mut matrix = String::from("| | memory | nats | rabbitmq | sqs |\n|---|---|---|---|---|\n");
    for (guarantee, given) in rows {
        let cells = backends.iter().map(|differs| if given(differs) { "yes" } else { "no" });
        matrix += &format!("| {guarantee} | {} |\n", cells.collect::<Vec<_>>().join(" | "));
    }
    let page = GUIDE.split("<!-- matrix -->\n").nth(1).and_then(|rest| rest.split("<!-- /matrix -->").next());
    assert_eq!(page, Some(matrix.as_str()));
}

/// The rows of the table behind `heading`: keys and defaults.
fn table(heading: &str) -> BTreeMap<String, String> {
    let behind = REFERENCE.split(heading).nth(1).unwrap();
    let rows = behind.lines().skip_while(|line| !line.starts_with("| `")).take_while(|line| line.starts_with("| `"));
    let cell = |text: &str| text.trim().trim_matches('`').to_owned();
    rows.map(|row| {
        let mut cells = row.split('|').skip(1);
        (cell(cells.next().unwrap()), cell(cells.next().unwrap()))
    })
    .collect()
}

fn defaults(config: impl Serialize) -> BTreeMap<String, String> {
    let Value::Object(all) = serde_json::to_value(config).unwrap() else { unreachable!() };
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    all.iter().filter(|(key, _)| *key != "visibility_seconds").map(|(key, value)| (key.clone(), text(value))).collect()
}

#[test]
fn the_page_of_settings_names_each_with_its_default() {
    assert_eq!(table("With `kind = \"nats\"`:"), defaults(NatsConfig::default()));
    assert_eq!(table("With `kind = \"rabbitmq\"`:"), defaults(RabbitMqConfig::default()));
    assert_eq!(table("With `kind = \"sqs\"`:"), defaults(SqsConfig::default()));
}
