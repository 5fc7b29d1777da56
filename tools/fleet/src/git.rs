//! The repository that Argo CD reads, by the program git. Commits are made of objects, so that no work tree is touched.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, bail};

use crate::{cli::Global, program};

pub(crate) struct Git {
    folder: PathBuf,
    remote: String,
}

impl Git {
    /// The clone, brought up to date with its remote.
    pub(crate) fn open(global: &Global) -> anyhow::Result<Self> {
        let git = Self { folder: global.repo.clone(), remote: global.remote.clone() };
        git.fetch()?;
        Ok(git)
    }

    fn run(&self, words: &[&str]) -> anyhow::Result<String> {
        program::run(Command::new("git").arg("-C").arg(&self.folder).args(words), None)
    }

    /// Brings branches and tags up to date.
    pub(crate) fn fetch(&self) -> anyhow::Result<()> {
        let refs = format!("+refs/heads/*:refs/remotes/{}/*", self.remote);
        self.run(&["fetch", "--quiet", "--force", &self.remote, &refs, "+refs/tags/*:refs/tags/*"]).map(drop)
    }

    /// The commit that a tag, a branch of the remote, or the beginning of a commit's name stands for.
    pub(crate) fn commit(&self, version: &str) -> anyhow::Result<String> {
        [format!("refs/tags/{version}"), format!("refs/remotes/{}/{version}", self.remote), version.to_owned()]
            .iter()
            .find_map(|name| self.run(&["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")]).ok())
            .with_context(|| format!("{version} is no tag, branch or commit of {}", self.remote))
    }

    pub(crate) fn is_tag(&self, version: &str) -> bool {
        self.run(&["rev-parse", "--verify", "--quiet", &format!("refs/tags/{version}")]).is_ok()
    }

    /// A file's text at a commit.
    pub(crate) fn show(&self, commit: &str, path: &str) -> anyhow::Result<String> {
        // Not through `run`, which takes the last line's end away.
        let out = Command::new("git").arg("-C").arg(&self.folder).args(["show", &format!("{commit}:{path}")]).output()?;
        if !out.status.success() {
            bail!("there is no {path} at {commit}");
        }
        Ok(String::from_utf8(out.stdout)?)
    }

    /// The names of the files below a folder at a commit.
    pub(crate) fn list(&self, commit: &str, folder: &str) -> anyhow::Result<Vec<String>> {
        let names = self.run(&["ls-tree", "-r", "--name-only", commit, &format!("{folder}/")])?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Whether two commits hold the same below each of `paths`.
    pub(crate) fn same(&self, a: &str, b: &str, paths: &[String]) -> bool {
        let tree = |commit: &str, path: &str| self.run(&["rev-parse", "--verify", "--quiet", &format!("{commit}:{path}")]).ok();
        a == b || paths.iter().all(|path| tree(a, path).is_some() && tree(a, path) == tree(b, path))
    }

    /// The commits of a branch that changed a file, the latest first.
    pub(crate) fn history(&self, branch: &str, path: &str) -> anyhow::Result<Vec<String>> {
        let commits = self.run(&["log", "--format=%H", &self.commit(branch)?, "--", path])?;
        Ok(commits.lines().map(str::to_owned).collect())
    }

    /// Commits a file's new text on top of `branch`, and pushes that as `onto`. `edit` gets the text that stands there now; it is
    /// called again when someone else was faster.
    pub(crate) fn change(
        &self,
        branch: &str,
        onto: &str,
        path: &str,
        message: &str,
        edit: impl Fn(&str) -> anyhow::Result<String>,
    ) -> anyhow::Result<String> {
        let mut last = None;
        for _ in 0..3 {
            let base = self.commit(branch)?;
            let old = self.show(&base, path)?;
            let new = edit(&old)?;
            if new == old {
                bail!("{path} on {branch} holds that already; nothing to commit");
            }
            let commit = self.write(&base, path, &new, message)?;
            // For review, an older proposal of the same is replaced.
            let force = if onto == branch { "" } else { "+" };
            match self.run(&["push", "--quiet", &self.remote, &format!("{force}{commit}:refs/heads/{onto}")]) {
                Ok(_) => {
                    self.fetch()?;
                    return Ok(commit);
                }
                Err(error) => last = Some(error),
            }
            self.fetch()?;
        }
        Err(last.context("no try")?.context(format!("cannot push to {onto}")))
    }

    /// A commit with one file changed, as objects only.
    fn write(&self, base: &str, path: &str, text: &str, message: &str) -> anyhow::Result<String> {
        let index = tempfile::tempdir()?;
        let git = |words: &[&str], input: Option<&str>| {
            let mut command = Command::new("git");
            command.arg("-C").arg(&self.folder).env("GIT_INDEX_FILE", index.path().join("index")).args(words);
            program::run(&mut command, input)
        };
        let blob = git(&["hash-object", "-w", "--stdin"], Some(text))?;
        git(&["read-tree", base], None)?;
        git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")], None)?;
        let tree = git(&["write-tree"], None)?;
        git(&["commit-tree", &tree, "-p", base, "-F", "-"], Some(message))
    }

    /// Moves a tag, here and at the remote; the tag's message tells where it stood.
    pub(crate) fn retag(&self, tag: &str, commit: &str, message: &str) -> anyhow::Result<()> {
        self.run(&["tag", "--force", "--annotate", "--message", message, tag, commit])?;
        self.run(&["push", "--quiet", "--force", &self.remote, &format!("refs/tags/{tag}")]).map(drop)
    }

    /// The message of an annotated tag.
    pub(crate) fn tag_message(&self, tag: &str) -> anyhow::Result<String> {
        self.run(&["for-each-ref", "--format=%(contents)", &format!("refs/tags/{tag}")])
    }
}
