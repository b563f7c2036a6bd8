//! The server, optimised by a profile of itself under load:
//! <https://doc.rust-lang.org/rustc/profile-guided-optimization.html>.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Result,
    cargo::{cargo, read, root, run as run_command},
    load,
};

/// What the server does while it is looked at: visits for the most part, with the API beside, whose clicks are synced or not.
const TRAINING: [&[&str]; 2] = [
    &["stress", "--scale", "0.05", "--untimed"],
    &["stress", "--scale", "0.02", "--untimed", "--env", "BOLTLINK_DURABILITY=acknowledged"],
];

/// Builds a server that counts what it does, lets it work, and builds it anew by that; says where it is.
pub(crate) fn run() -> Result {
    if !cfg!(target_os = "linux") {
        return Err("nobody has tried this elsewhere: run it on Linux".into());
    }
    let rustc = read(Command::new("rustc").arg("-vV"))?;
    let field = |name: &str| rustc.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let (host, llvm) =
        (field("host:").ok_or("rustc names no host")?, field("LLVM version:").ok_or("rustc has no LLVM")?);
    let merge = profdata(llvm, host)?;
    let place = root().join("target").join("pgo");
    let (raw, profile) = (place.join("raw"), place.join("boltlink.profdata"));
    // Counts of another build would be of other code.
    let _ = fs::remove_dir_all(&raw);
    // Cargo does not look whether the profile is another one, but for our own crates.
    let _ = fs::remove_dir_all(place.join("optimised"));
    let counting = build(&place.join("counting"), host, &format!("-Cprofile-generate={}", raw.display()))?;
    let loads = load::build(true)?;
    for args in TRAINING {
        load::load(&loads, &counting, &args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())?;
    }
    run_command(Command::new(merge).arg("merge").arg("-o").arg(&profile).arg(&raw))?;
    let server = build(&place.join("optimised"), host, &format!("-Cprofile-use={}", profile.display()))?;
    eprintln!("\nThe server: {}", server.display());
    Ok(())
}

/// Builds the server alone: what is named as a target does not reach build scripts and macros.
fn build(target: &Path, host: &str, flags: &str) -> Result<PathBuf> {
    let mut build = cargo(["build", "--release", "--target", host]);
    run_command(build.env("CARGO_ENCODED_RUSTFLAGS", flags).env("CARGO_TARGET_DIR", target))?;
    Ok(target.join(host).join("release").join("boltlink"))
}

/// LLVM's program for profiles: of the compiler's own version, as its files have no other's form.
fn profdata(llvm: &str, host: &str) -> Result<PathBuf> {
    let major = llvm.split('.').next().unwrap_or(llvm);
    let sysroot = read(Command::new("rustc").args(["--print", "sysroot"]))?;
    let own = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/llvm-profdata");
    let debian = Path::new("/usr/lib").join(format!("llvm-{major}")).join("bin/llvm-profdata");
    [own, debian].into_iter().find(|program| program.exists()).ok_or_else(|| {
        format!("this needs llvm-profdata {major}: rustup component add llvm-tools, or apt install llvm-{major}").into()
    })
}
