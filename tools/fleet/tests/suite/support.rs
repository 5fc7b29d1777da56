//! A fleet's repository: bare, as a server has it, with a clone that the program is given and one that the test commits from.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) struct Repository {
    folder: tempfile::TempDir,
}

pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn git(folder: &Path, words: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(words).env("GIT_CONFIG_GLOBAL", "/dev/null");
    for (name, value) in [("NAME", "a person"), ("EMAIL", "person@example.com")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    let ended = run(&mut command);
    assert_eq!(ended.code, 0, "git {words:?}: {}", ended.stderr);
    ended.stdout.trim_end().to_owned()
}

pub(crate) fn docmill_fleet(words: &[&str]) -> Ended {
    run(Command::new(env!("CARGO_BIN_EXE_docmill-fleet")).args(words))
}

impl Repository {
    /// With this workspace's own argocd/, and helm/docmill's files that are read; every ring pinned to the tag v1, which is its first commit.
    pub(crate) fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        git(repository.folder.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "server"]);
        git(repository.folder.path(), &["init", "--quiet", "--initial-branch=main", "work"]);
        let work = repository.work();
        for name in [
            "argocd/root.yaml",
            "argocd/bootstrap",
            "argocd/cluster",
            "argocd/services",
            "argocd/namespace",
            "argocd/policies",
            "argocd/versions",
            "helm/docmill/values.yaml",
            "helm/docmill/Chart.yaml",
        ] {
            let to = work.join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            assert!(Command::new("cp").arg("-r").arg(workspace().join(name)).arg(to).status().unwrap().success());
        }
        for service in ["docmill", "platform"] {
            for entry in fs::read_dir(work.join("argocd/versions").join(service)).unwrap() {
                let path = entry.unwrap().path();
                let text = fs::read_to_string(&path).unwrap();
                let pinned = text.lines().map(|line| match line.split_once(": ") {
                    Some((key @ ("  chart" | "  values"), _)) => format!("{key}: v1\n"),
                    // Windows are tested where the time is given; these commands must not depend on today.
                    Some(("  days", _)) => "  days: [mon, tue, wed, thu, fri, sat, sun]\n".to_owned(),
                    Some(("  from", _)) => "  from: \"00:00\"\n".to_owned(),
                    Some(("  to", _)) => "  to: \"23:59\"\n".to_owned(),
                    _ => format!("{line}\n"),
                });
                fs::write(&path, pinned.collect::<String>()).unwrap();
            }
        }
        git(&work, &["remote", "add", "origin", "../server"]);
        repository.commit("The fleet");
        repository.git(&["tag", "v1"]);
        repository.git(&["push", "--quiet", "origin", "v1"]);
        git(repository.folder.path(), &["clone", "--quiet", "server", "clone"]);
        // The program commits as whoever the clone says.
        let clone = repository.folder.path().join("clone");
        git(&clone, &["config", "user.name", "fleet"]);
        git(&clone, &["config", "user.email", "fleet@example.com"]);
        repository
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(crate) fn git(&self, words: &[&str]) -> String {
        git(&self.work(), words)
    }

    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let file = self.work().join(path);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{path} holds no {from:?}");
        fs::write(file, text.replace(from, to)).unwrap();
    }

    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["push", "--quiet", "origin", "HEAD:main"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs the program on the clone.
    pub(crate) fn fleet(&self, words: &[&str]) -> Ended {
        let clone = self.folder.path().join("clone");
        docmill_fleet(&[&["--repo", clone.to_str().unwrap()][..], words].concat())
    }

    /// A file at a branch of the server.
    pub(crate) fn server(&self, branch: &str, path: &str) -> String {
        git(&self.folder.path().join("server"), &["show", &format!("{branch}:{path}")])
    }

    pub(crate) fn pull(&self) {
        self.git(&["pull", "--quiet", "--rebase", "origin", "main"]);
    }

    pub(crate) fn log(&self) -> String {
        git(&self.folder.path().join("server"), &["log", "--format=%an: %s", "main"])
    }
}
