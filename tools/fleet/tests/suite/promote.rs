//! Commits that docmill-fleet makes. The first ring waits for none before it, so no cluster is needed.

use crate::support::Repository;

const DEV: &str = "argocd/versions/docmill/dev.yaml";

#[test]
fn a_promotion_is_one_commit_that_changes_the_pins_and_nothing_else() {
    let fleet = Repository::new();
    let before = fleet.server("main", DEV);
    fleet.edit("helm/docmill/Chart.yaml", "version: 0.1.0", "version: 0.2.0");
    fleet.commit("A new version");
    fleet.git(&["tag", "v2"]);
    fleet.git(&["push", "--quiet", "origin", "v2"]);

    let ended = fleet.fleet(&["promote", "dev", "v2", "--land"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(ended.stdout.starts_with("promote dev: v2 committed as "), "{}", ended.stdout);
    assert_eq!(fleet.server("main", DEV), before.replace(": v1", ": v2"));
    assert_eq!(fleet.log(), "fleet: Promote docmill v2 to ring dev\na person: A new version\na person: The fleet");

    // A second time there is nothing to do, and that is said.
    let again = fleet.fleet(&["promote", "dev", "v2", "--land"]);
    assert_eq!((again.code, again.stdout.as_str()), (1, ""));
    assert_eq!(again.stderr, format!("error: {DEV} on main holds that already; nothing to commit\n"));

    // And back, by another commit.
    let back = fleet.fleet(&["rollback", "dev"]);
    assert_eq!((back.code, back.stderr.as_str()), (0, ""));
    assert!(back.stdout.starts_with("revert dev: back to v1 by commit "), "{}", back.stdout);
    assert_eq!(fleet.server("main", DEV), before);
    assert!(fleet.log().starts_with("fleet: Revert ring dev of docmill to v1\nfleet: Promote"));
}

#[test]
fn without_land_it_is_proposed_on_a_branch() {
    let fleet = Repository::new();
    let commit = fleet.commit("Something");
    // A branch is pinned as the commit that it names now: it would move without anybody promoting it.
    let ended = fleet.fleet(&["--json", "promote", "dev", "main"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let step: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let message = step["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("{commit} committed as ")), "{message}");
    assert!(message.ends_with(" on promote/docmill-dev; review and merge it into main"), "{message}");
    assert!(fleet.server("promote/docmill-dev", DEV).contains(&format!("chart: {commit}\n")));
    assert!(fleet.server("main", DEV).contains("chart: v1\n"));

    // An older proposal is replaced.
    let later = fleet.commit("Something else");
    assert_eq!(fleet.fleet(&["promote", "dev", "main"]).code, 0);
    assert!(fleet.server("promote/docmill-dev", DEV).contains(&format!("chart: {later}\n")));
}

#[test]
fn what_the_ring_before_does_not_run_is_refused() {
    let fleet = Repository::new();
    fleet.edit("helm/docmill/Chart.yaml", "version: 0.1.0", "version: 0.2.0");
    let commit = fleet.commit("A new version");
    let ended = fleet.fleet(&["promote", "qa", &commit]);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert_eq!(ended.stderr, format!("error: ring dev runs v1, not {commit}; promote that there first\n"));
    let ended = fleet.fleet(&["promote", "production", "v1"]);
    assert_eq!(ended.stderr, "error: there is no ring production; there are dev, qa, staging, pilot, prod\n");
    let ended = fleet.fleet(&["promote", "dev", "v9"]);
    assert_eq!(ended.stderr, "error: v9 is no tag, branch or commit of origin\n");
}

#[test]
fn a_shut_window_holds_promotions_back_and_no_rollback() {
    let fleet = Repository::new();
    fleet.edit("argocd/versions/docmill/pilot.yaml", "to: \"23:59\"", "to: \"00:00\"");
    fleet.commit("Shut the window");
    let ended = fleet.fleet(&["promote", "pilot", "v1"]);
    assert_eq!(ended.code, 1);
    let days = "mon, tue, wed, thu, fri, sat, sun from 00:00 to 00:00 in Europe/Berlin";
    assert_eq!(ended.stderr, format!("error: ring pilot changes only on {days}; wait, or say --outside-window\n"));
    let to = fleet.commit("Another");
    fleet.edit("argocd/versions/docmill/pilot.yaml", "  chart: v1", "  chart: main");
    fleet.commit("By hand");
    let ended = fleet.fleet(&["rollback", "pilot", "--to", &to]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(fleet.server("main", "argocd/versions/docmill/pilot.yaml").contains("  chart: v1\n"));
}

#[test]
fn a_ring_that_never_ran_anything_else_cannot_go_back() {
    let fleet = Repository::new();
    let ended = fleet.fleet(&["rollback", "prod"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert_eq!(ended.stderr, "error: ring prod never ran anything else; name a commit by --to\n");
}

#[test]
fn a_commit_of_somebody_else_meanwhile_is_kept() {
    let fleet = Repository::new();
    // The clone does not know of it yet.
    fleet.edit("argocd/versions/docmill/dev.yaml", "arrive: 10m", "arrive: 11m");
    fleet.commit("Meanwhile");
    let ended = fleet.fleet(&["promote", "dev", "main", "--land"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(fleet.server("main", DEV).contains("arrive: 11m"));
}

#[test]
fn where_rings_follow_a_tag_it_is_moved_and_moved_back() {
    let fleet = Repository::new();
    fleet.edit("argocd/root.yaml", "      parameters:\n", "      valueFiles: [values-retag.yaml]\n      parameters:\n");
    let first = fleet.commit("Promote by retagging");
    fleet.git(&["tag", "--annotate", "--message", "x", "prod"]);
    fleet.git(&["push", "--quiet", "origin", "prod"]);
    fleet.edit("argocd/versions/docmill/staging.yaml", "  chart: v1", "  chart: main");
    fleet.commit("Staging follows main");

    // rollback of a tag that does not say where it stood
    let ended = fleet.fleet(&["rollback", "prod"]);
    assert_eq!(ended.stderr, "error: tag prod does not say where it stood before; name a commit by --to\n");
    let ended = fleet.fleet(&["rollback", "prod", "--to", "v1"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let at = |tag: &str| {
        fleet.git(&["fetch", "--quiet", "--force", "origin", "+refs/tags/*:refs/tags/*"]);
        fleet.git(&["rev-parse", &format!("{tag}^{{commit}}")])
    };
    assert_eq!(at("prod"), at("v1"));
    let ended = fleet.fleet(&["rollback", "prod"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert_eq!(at("prod"), first);
    assert!(!fleet.log().contains("Revert"), "a tag moves without a commit");
    fleet.pull();
}
