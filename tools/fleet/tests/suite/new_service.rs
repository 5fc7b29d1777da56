//! A new service's files; that Argo CD makes it run is tested by `scripts/argocd-test`.

use std::fs;

use crate::support::{Repository, docmill_fleet};

#[test]
fn a_new_service_has_values_and_a_version_file_for_each_ring() {
    let fleet = Repository::new();
    let work = fleet.work();
    let words = ["--repo", work.to_str().unwrap(), "new-service", "invoices", "--image", "example/invoices", "--port", "9000"];
    let ended = docmill_fleet(&words);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    let read = |path: &str| fs::read_to_string(work.join(path)).unwrap();
    insta::assert_snapshot!(
        read("argocd/services/invoices/service.yaml") + "---\n" + &read("argocd/versions/invoices/prod.yaml")
    );
    assert!(read("argocd/bootstrap/values.yaml").contains("services:\n  - name: invoices\n  - name: docmill\n"));
    fleet.commit("A new service");
    // What was written is what the program itself reads.
    let ended = fleet.fleet(&["--service", "invoices", "promote", "dev", "main", "--land"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);

    let again = docmill_fleet(&words);
    assert_eq!((again.code, again.stderr.as_str()), (1, "error: argocd/services/invoices is there already\n"));
    let ended = docmill_fleet(&["new-service", "Invoices", "--image", "x"]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("small letters, digits and dashes"), "{}", ended.stderr);
}
