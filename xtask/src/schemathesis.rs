//! Requests made up from the document, valid and not, against a server: does it keep what the document says?

use crate::{
    Result,
    cargo::{root, run as run_command},
    server::Server,
    tools::{Python, scratch},
};

/// Runs Schemathesis as its directory says, with `args` beside.
pub(crate) fn run(args: &[String]) -> Result {
    let directory = root().join("boltlink-server").join("tests").join("schemathesis");
    let python = Python::with(&directory.join("requirements.txt"), &scratch("schemathesis").join("venv"))?;
    let server = Server::start(scratch("schemathesis").join("server"))?;
    let mut command = python.command("schemathesis");
    command.arg("--config-file").arg(directory.join("schemathesis.toml"));
    command.args(["run", &format!("{}/openapi.json", server.url())]).args(args);
    // The hooks are a module beside the configuration. What is written goes to `target`.
    command.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", &directory).env("PYTHONDONTWRITEBYTECODE", "1");
    run_command(command.env("BOLTLINK_KEY", server.key()).current_dir(scratch("schemathesis")))
}
