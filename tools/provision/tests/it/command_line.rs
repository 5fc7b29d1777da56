//! What is typed, and what is asked.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use docmill_testbed::Nats;

use crate::rig::{Ran, Rig, name, ran};

#[test]
fn a_command_line_that_is_wrong_is_not_drift() {
    let rig = Rig::new("");
    assert_eq!(rig.run(&["chekc"]).code, Some(1));
    assert_eq!(rig.run(&["destroy", "--confirm", "x"]).code, Some(1));
    assert_eq!(rig.run(&["--version"]).code, Some(0));
}

#[test]
fn a_setting_that_is_wrong_is_named() {
    let rig = Rig::new("[provision]\nseed_foldr = \"x\"\n");
    let refused = rig.run(&["plan"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("provision.seed_foldr"), "{}", refused.err);
    assert!(refused.err.contains("did you mean provision.seed_folder?"), "{}", refused.err);
}

#[test]
fn one_machines_configuration_needs_nothing() {
    assert_eq!(Rig::new("").done(&["apply", "--yes"]), "0 as they should be\n");
}

#[test]
fn every_command_and_option_stands_in_the_page() {
    let page = include_str!("../../../../docs/reference/provision.md");
    let rig = Rig::new("");
    for command in ["plan", "apply", "check", "destroy", "completions"] {
        assert!(page.contains(&format!("docmill-provision {command}")), "{command}");
        let help = rig.done(&[command, "--help"]);
        for option in help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| word.starts_with("--")) {
            assert!(page.contains(option), "{option}");
        }
    }
    let listed = rig.done(&["--help"]);
    let listed = listed.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    assert_eq!(listed.lines().count(), 6, "{listed}");
    assert!(rig.done(&["completions", "bash"]).contains("complete -F "));
}

/// Runs it at a terminal, which util-linux' `script` makes, and types this.
fn typing(rig: &Rig, arguments: &str, typed: &str) -> Ran {
    let mut terminal = Command::new("script");
    let program = env!("CARGO_BIN_EXE_docmill-provision");
    terminal.args(["--quiet", "--return", "--command", &format!("{program} {arguments}"), "/dev/null"]);
    let mut child = terminal.current_dir(rig.folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    ran(child.wait_with_output().unwrap())
}

#[test]
fn it_asks_before_it_changes_anything() {
    let stream = name("asked");
    let rig = Rig::new(&format!("[queue]\nkind = \"nats\"\nurl = \"{}\"\nstream = \"{stream}\"\n", Nats::shared().url()));
    let alone = rig.run(&["apply"]);
    assert_eq!((alone.code, &*alone.err), (Some(1), "error: there is no terminal to ask at; say --yes\n"));
    let no = typing(&rig, "apply", "n\n");
    assert!(no.code == Some(1) && no.out.contains("do 1 of these? [y/N]") && no.out.contains("nothing was changed"), "{no:?}");
    assert_eq!(rig.drift().len(), 1);
    assert_eq!(typing(&rig, "apply", "y\n").code, Some(0));
    assert_eq!(rig.drift(), [""; 0]);

    let wrong = typing(&rig, "destroy --destroy-data", "another\n");
    assert!(
        wrong.code == Some(1) && wrong.out.contains(&format!("`another` is not `{stream}`; nothing was changed")),
        "{wrong:?}"
    );
    let no = typing(&rig, "destroy --destroy-data", &format!("{stream}\nn\n"));
    assert!(no.code == Some(1) && no.out.contains("remove 1 of these for good? [y/N]"), "{no:?}");
    assert_eq!(rig.drift(), [""; 0]);
    assert_eq!(typing(&rig, "destroy --destroy-data", &format!("{stream}\ny\n")).code, Some(0));
    assert_eq!(rig.drift().len(), 1);
}
