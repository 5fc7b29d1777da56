//! Killed at each of its steps, and run again.

use std::{fs, os::unix::process::ExitStatusExt as _};

use docmill_testbed::{Nats, Postgres, SeaweedFs};

use crate::{
    database::postgres,
    rig::{Rig, name},
    store::seaweedfs,
};

#[tokio::test]
async fn what_a_killed_run_left_half_done_the_next_one_finishes() {
    let _ = (SeaweedFs::shared(), Postgres::shared(), Nats::shared());
    for failpoint in ["provision.before", "provision.made"] {
        let (bucket, database) = (name("killed"), name("killed").replace('-', "_"));
        let queue = format!("[queue]\nkind = \"nats\"\nurl = \"{}\"\nstream = \"{bucket}-lanes\"\n", Nats::shared().url());
        let rig = Rig::new(&format!("{}{}seed_folder = \"site\"\n{queue}", seaweedfs(&bucket), postgres(&database)));
        fs::create_dir(rig.folder.path().join("site")).unwrap();
        fs::write(rig.folder.path().join("site/index.html"), "<p>hello").unwrap();
        let mut killed = 0;
        // Each run is killed at the first thing that it does, so that each gets one further, or none.
        for _ in 0..40 {
            let mut run = rig.command(&["apply", "--yes"]);
            let status = run.env("DOCMILL_FAILPOINTS", format!("{failpoint}:1=kill")).output().unwrap().status;
            if status.signal() != Some(9) {
                assert!(status.success());
                break;
            }
            killed += 1;
            if failpoint == "provision.before" {
                // Nothing was done; the next run would be killed at the same step.
                let mut run = rig.command(&["apply", "--yes"]);
                let status = run.env("DOCMILL_FAILPOINTS", format!("{failpoint}:2=kill")).output().unwrap().status;
                if status.signal() != Some(9) {
                    assert!(status.success());
                    break;
                }
            }
        }
        assert!(killed > 7, "{killed} steps were killed at {failpoint}");
        assert_eq!(rig.drift(), [""; 0]);

        // Taking down is no different.
        let lanes = format!("{bucket}-lanes");
        let names = ["--confirm", &bucket, "--confirm", &database, "--confirm", &lanes];
        let destroy = [&["destroy", "--yes", "--destroy-data"], &names[..]].concat();
        for _ in 0..10 {
            let mut run = rig.command(&destroy);
            let status = run.env("DOCMILL_FAILPOINTS", "provision.made:1=kill").output().unwrap().status;
            if status.signal() != Some(9) {
                assert!(status.success());
                break;
            }
        }
        let left = rig.actions(&["plan"]);
        assert!(left.iter().all(|(_, action)| action == "make" || action == "unsupported"), "{left:?}");
    }
}
