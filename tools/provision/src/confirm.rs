//! Asks the person at the terminal; a script has to say beforehand that it means it.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, bail, ensure};

/// Returns if the answer is yes.
pub(crate) fn agreed(question: &str) -> anyhow::Result<()> {
    ensure!(io::stdin().is_terminal(), "there is no terminal to ask at; say --yes");
    let answer = ask(&format!("{question} [y/N] "))?;
    ensure!(matches!(answer.as_str(), "y" | "yes"), "nothing was changed");
    Ok(())
}

/// Returns if every name has been given beforehand, or is typed now.
pub(crate) fn typed(names: &[String], given: &[String]) -> anyhow::Result<()> {
    for name in names.iter().filter(|name| !given.contains(name)) {
        if !io::stdin().is_terminal() {
            bail!("{name} holds data, and there is no terminal to type its name at; say --confirm {name}");
        }
        let answer = ask(&format!("{name} holds data that will be gone for good; type its name: "))?;
        ensure!(answer == *name, "`{answer}` is not `{name}`; nothing was changed");
    }
    Ok(())
}

fn ask(question: &str) -> anyhow::Result<String> {
    let mut out = io::stderr();
    write!(out, "{question}").and_then(|()| out.flush()).context("cannot ask")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(answer.trim().to_owned())
}
