//! `docs/reference/fleet.md` says what the program says.

use std::{env, fs};

use crate::support::{docmill_fleet, workspace};

const COMMANDS: [&str; 11] =
    ["promote", "gate", "rollback", "status", "pause", "retire", "images", "new-service", "enrol", "join", "report"];

#[test]
fn the_page_of_commands_is_the_help() {
    let mut page = String::from(
        "# docmill-fleet\n\nWhat `docmill-fleet --help` and each command's `--help` say. A test compares; \
         `UPDATE_DOCS=1 cargo test -p docmill-fleet the_page_of_commands` writes this page anew.\n",
    );
    let overall = docmill_fleet(&["--help"]).stdout;
    let listed = overall.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let named: Vec<&str> =
        listed.lines().filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(named, [&COMMANDS[..], &["help"]].concat());
    page.push_str(&format!("\n## docmill-fleet\n\n```text\n{overall}```\n"));
    for command in COMMANDS {
        let help = docmill_fleet(&[command, "--help"]).stdout;
        let own = help.split("\nGlobal options:").next().unwrap();
        page.push_str(&format!("\n## docmill-fleet {command}\n\n```text\n{}\n```\n", own.trim_end()));
    }
    let page: String = page.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let path = workspace().join("docs/reference/fleet.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        page,
        "the page is old: UPDATE_DOCS=1 cargo test -p docmill-fleet the_page_of_commands"
    );
}
