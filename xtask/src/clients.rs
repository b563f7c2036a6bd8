//! The example clients in other languages: each is generated from the document and run against a server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Result,
    cargo::{built, root, run as run_command},
    server::Server,
    tools::{self, Python, scratch},
};

/// Generates and runs them. All that is generated or installed ends up in `target`.
pub(crate) fn run() -> Result {
    let (node, npm) = tools::node()?;
    let examples = root().join("examples").join("clients");
    let python = Python::with(&examples.join("python").join("requirements.txt"), &scratch("clients").join("venv"))?;
    let server = Server::start(scratch("clients").join("server"), &[])?;
    rust(&server)?;
    typescript(&server, &examples.join("typescript"), node, npm)?;
    self::python(&server, &examples.join("python"), &python)
}

/// Generated whenever it is built; its tests are among all tests.
fn rust(server: &Server) -> Result {
    let programs = built("bin")?;
    let client = programs.get("boltlink-client").ok_or("the workspace has no program 'boltlink-client'")?;
    run_command(&mut against(server, Command::new(client)))
}

/// Works on a copy, so that nothing is installed or generated beside the sources.
fn typescript(server: &Server, sources: &Path, node: &str, npm: &str) -> Result {
    let copy = scratch("clients").join("typescript");
    fs::create_dir_all(&copy)?;
    for name in [".npmrc", "client.ts", "package.json", "package-lock.json", "tsconfig.json"] {
        fs::copy(sources.join(name), copy.join(name))?;
    }
    let npm = |args: &[&str]| {
        let mut command = Command::new(npm);
        command.args(args).current_dir(&copy).stdin(Stdio::null());
        command
    };
    run_command(&mut npm(&["ci"]))?;
    let mut generate = npm(&["exec", "--", "openapi-typescript"]);
    run_command(generate.arg(document()).args(["--output", "generated/api.d.ts"]))?;
    run_command(&mut npm(&["run", "build"]))?;
    let mut client = Command::new(node);
    client.arg("dist/client.js").current_dir(&copy);
    run_command(&mut against(server, client))
}

fn python(server: &Server, sources: &Path, python: &Python) -> Result {
    let directory = scratch("clients").join("python");
    fs::create_dir_all(&directory)?;
    let mut generate = python.command("openapi-python-client");
    generate.args(["generate", "--overwrite", "--meta", "none", "--fail-on-warning", "--path"]).arg(document());
    generate.arg("--output-path").arg(directory.join("boltlink_client"));
    run_command(generate.arg("--config").arg(sources.join("config.yml")))?;
    let mut client = python.command("python");
    client.arg(sources.join("client.py")).env("PYTHONPATH", &directory);
    // Nothing is written beside the sources.
    client.env("PYTHONDONTWRITEBYTECODE", "1");
    run_command(&mut against(server, client))
}

fn document() -> PathBuf {
    root().join("boltlink-server").join("openapi.json")
}

/// Tells a client where the server is.
fn against(server: &Server, mut client: Command) -> Command {
    client.env("BOLTLINK_URL", server.url()).env("BOLTLINK_KEY", server.key());
    client
}
