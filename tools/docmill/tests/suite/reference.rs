//! `docs/reference` says what the program says.

use std::{collections::BTreeMap, env, fs, path::PathBuf};

use crate::support::{cli, read};

fn reference(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name)
}

const COMMANDS: [&str; 21] = [
    "up",
    "convert",
    "submit",
    "status",
    "wait",
    "get",
    "list",
    "delete",
    "smoke",
    "keys",
    "tenants",
    "reindex",
    "formats",
    "sweep",
    "queue",
    "backup",
    "restore",
    "verify",
    "config",
    "health",
    "completions",
];

#[test]
fn the_page_of_commands_is_the_help() {
    let folder = tempfile::tempdir().unwrap();
    let mut page = String::from(
        "# The command line\n\nWhat `docmill --help` and each command's `--help` say. A test compares; \
         `UPDATE_DOCS=1 cargo test -p docmill the_page_of_commands` writes this page anew.\n\nPrograms of their own: \
         [docmill-provision](provision.md), [docmill-fleet](fleet.md).\n",
    );
    let overall = cli!(folder.path(), "--help").stdout;
    for command in COMMANDS {
        assert!(overall.contains(&format!("\n  {command} ")), "{command} is not among the commands:\n{overall}");
    }
    let listed = overall.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let count = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).count();
    assert_eq!(count, COMMANDS.len() + 1, "a command is missing on the page (`help` is not listed):\n{listed}");
    page.push_str(&format!("\n## docmill\n\n```text\n{overall}```\n"));
    for command in COMMANDS {
        let help = cli!(folder.path(), command, "--help");
        assert_eq!(help.code, 0);
        page.push_str(&format!("\n## docmill {command}\n\n```text\n{}```\n", help.stdout));
    }
    let page: String = page.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let path = reference("cli.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert_eq!(read(path), page, "the page is old: UPDATE_DOCS=1 cargo test -p docmill the_page_of_commands");
}

#[test]
fn the_page_of_settings_names_each_with_its_default() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        crate::support::docmill(folder.path()).env_remove("DOCMILL_EXTRACT__PDFIUM").args(["config", "--json"]).output().unwrap();
    let in_program: BTreeMap<String, String> = String::from_utf8(settings.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|it| (it["key"].as_str().unwrap().into(), it["value"].as_str().unwrap().into()))
        .collect();
    let page = read(reference("configuration.md"));
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).skip(1);
        let (key, default, meaning) = (cells.next()?, cells.next()?, cells.next()?);
        (key.contains('.') && !meaning.is_empty()).then_some((key, default))
    });
    assert_eq!(rows.collect::<BTreeMap<_, _>>(), in_program);
}
