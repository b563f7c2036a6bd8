//! Requests made up from the document, valid and not, against a server: does it keep what the document says?

use crate::{
    Result,
    cargo::{read as read_output, root, run as run_command},
    server::Server,
    tools::{Python, scratch},
};

/// What lets the requests through that the document allows: accounts are made, quickly, and nobody comes too often.
const SETTINGS: [(&str, &str); 6] = [
    ("BOLTLINK_REGISTRATION", "open"),
    ("BOLTLINK_PASSWORD_COST", "m=64,t=1,p=1"),
    ("BOLTLINK_LIMIT_API", "off"),
    ("BOLTLINK_LIMIT_PASSWORD_SET", "off"),
    ("BOLTLINK_LIMIT_LOGIN_ACCOUNT", "off"),
    ("BOLTLINK_LIMIT_LOGIN_ADDRESS", "off"),
];

/// How often each operation is tried by each other caller than the admin's key: who may do less gets to less.
const OTHERS: &str = "15";

/// Runs Schemathesis as its directory says, with `args` beside: by an admin's API key; then, unless `args` choose, as a
/// stranger, and in sessions of each role.
pub(crate) fn run(args: &[String]) -> Result {
    let directory = root().join("boltlink-server").join("tests").join("schemathesis");
    let python = Python::with(&directory.join("requirements.txt"), &scratch("schemathesis").join("venv"))?;
    let server = Server::start(scratch("schemathesis").join("server"), &SETTINGS)?;
    let tried = |credential: &str, more: &[&str]| {
        let mut command = python.command("schemathesis");
        command.arg("--config-file").arg(directory.join("schemathesis.toml"));
        command.args(["run", &format!("{}/openapi.json", server.url())]).args(args).args(more);
        // The hooks are a module beside the configuration. What is written goes to `target`.
        command.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", &directory).env("PYTHONDONTWRITEBYTECODE", "1");
        run_command(command.env("BOLTLINK_KEY", credential).current_dir(scratch("schemathesis")))
    };
    tried(server.key(), &[])?;
    if !args.is_empty() {
        return Ok(());
    }
    let people = read_output(
        python.command("python").arg(directory.join("people.py")).arg(server.url()).env("BOLTLINK_KEY", server.key()),
    )?;
    for credential in std::iter::once("nobody").chain(people.lines()) {
        // What ends the session would make a stranger of everybody.
        let others = ["--max-examples", OTHERS, "--warnings", "off", "--exclude-operation-id", "log_out"];
        tried(credential, &others)?;
    }
    Ok(())
}
