//! What must be mirrored.

use crate::support::Repository;

#[test]
fn images_and_charts_of_a_ring_are_listed_with_their_pins() {
    let fleet = Repository::new();
    let digest = format!("sha256:{}", "1".repeat(64));
    fleet.edit("argocd/versions/docmill/prod.yaml", "    worker: \"\"", &format!("    worker: {digest}"));
    fleet.commit("Pin the worker");
    let ended = fleet.fleet(&["images", "--charts-only"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(ended.stdout);
}

#[test]
fn what_cannot_be_looked_into_is_named() {
    let fleet = Repository::new();
    // No program of that name is needed to find out that the chart's repository is not there.
    fleet.edit("argocd/cluster/apps/nats.yaml", "https://nats-io.github.io/k8s/helm/charts/", "http://127.0.0.1:9/charts");
    for app in std::fs::read_dir(fleet.work().join("argocd/cluster/apps")).unwrap() {
        let path = app.unwrap().path();
        if path.file_name().unwrap() != "nats.yaml" {
            std::fs::remove_file(path).unwrap();
        }
    }
    let commit = fleet.commit("NATS alone");
    fleet.edit("argocd/versions/platform/prod.yaml", "values: v1", &format!("values: {commit}"));
    fleet.commit("Pin it");
    let ended = fleet.fleet(&["images"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (3, ""), "{}", ended.stdout);
    assert!(ended.stdout.contains("unknown images of nats: "), "{}", ended.stdout);
    assert!(ended.stdout.contains("chart  nats 2.14.2 http://127.0.0.1:9/charts"), "{}", ended.stdout);
}
