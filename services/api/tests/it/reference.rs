//! The reference documentation holds neither less nor more than the code.

use std::{fs, path::PathBuf};

use docmill_domain::{FailureCode, Format, ProblemCode};
use serde_json::Value;

fn docs(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file)
}

fn headings(file: &str) -> Vec<String> {
    let text = fs::read_to_string(docs(file)).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("## ").map(str::to_owned)).collect()
}

#[test]
fn every_code_has_its_section_and_no_section_is_left_over() {
    let problems: Vec<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(headings("reference/problems.md"), problems);
    let failures: Vec<_> = FailureCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(headings("reference/failures.md"), failures);
}

/// A section tells the status that its code is answered with.
#[test]
fn every_problem_is_documented_with_its_status() {
    let text = fs::read_to_string(docs("reference/problems.md")).unwrap();
    for code in ProblemCode::ALL {
        let section = text.split(&format!("\n## {}\n\n", code.as_str())).nth(1).unwrap();
        assert!(section.starts_with(&format!("{}. ", code.status())), "{}", code.as_str());
    }
}

#[test]
fn the_committed_description_is_the_generated_one() {
    let committed: Value = serde_json::from_str(&fs::read_to_string(docs("openapi.json")).unwrap()).unwrap();
    let mut generated: Value = serde_json::from_str(&docmill_api::openapi::json()).unwrap();
    // A build with test hooks, as of the whole workspace's tests, knows one more format.
    let formats = generated["components"]["schemas"]["Format"]["enum"].as_array_mut().unwrap();
    formats.retain(|format| format != "mock");
    assert!(Format::ALL.len() - formats.len() <= 1);
    assert!(
        generated == committed,
        "docs/openapi.json is not what the API is: cargo run -p docmill-api -- openapi > docs/openapi.json"
    );
    assert!(generated["openapi"].as_str().unwrap().starts_with("3.1"));
}
