//! The Debian package in a fresh Debian, and the static program with nothing around it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use peerpigeon_tests::http;
use peerpigeon_tests::tools::{as_root, packaged, repository, succeed};

/// A folder that belongs to root, like all that is in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("peerpigeon-{name}-{}", std::process::id()));
        succeed(as_root("mkdir").arg(&path));
        Folder(path)
    }

    fn copy(&self, from: &Path, to: &str) {
        succeed(as_root("cp").arg(from).arg(self.0.join(to)));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        succeed(as_root("rm").arg("-rf").arg(&self.0));
    }
}

/// Boots a Debian with systemd in a container of its own, without any network but its loopback.
#[test]
fn the_package_is_installed_used_upgraded_and_removed_in_a_fresh_debian() {
    let system = Folder::new("debian");
    let fresh = repository().join("target/tools/debian.tar");
    succeed(as_root("tar").arg("--extract").arg("--file").arg(fresh).arg("--directory").arg(&system.0));
    system.copy(&packaged("peerpigeon-server.deb"), "root/package.deb");
    for (file, to) in [("check.sh", "root/check.sh"), ("check.service", "etc/systemd/system/check.service")] {
        system.copy(&repository().join("tests/fresh").join(file), to);
    }
    let wants = "etc/systemd/system/multi-user.target.wants";
    succeed(as_root("mkdir").arg("-p").arg(system.0.join(wants)));
    succeed(as_root("ln").args(["-s", "../check.service"]).arg(system.0.join(wants).join("check.service")));

    let boot = ["--quiet", "--register=no", "--keep-unit", "--private-network", "--console=pipe", "--boot"];
    let output =
        as_root("systemd-nspawn").args(boot).arg("--directory").arg(&system.0).stdin(Stdio::null()).output();
    let console = http::lossy(&output.unwrap().stdout);
    let said = succeed(as_root("cat").arg(system.0.join("root/output")));
    assert_eq!(said.lines().last(), Some("passed"), "{said}\non the console:\n{console}");
    let during = said.lines().find(|line| line.ends_with("answered during the upgrade")).unwrap();
    println!("requests {during}");
}

/// What an image made `FROM scratch` holds.
#[test]
fn the_static_program_runs_alone_in_an_empty_root_as_nobody() {
    let root = Folder::new("empty");
    root.copy(&packaged("peerpigeon-server"), "peerpigeon-server");
    let inside = |arguments: &[&str], settings: &[&str]| {
        let mut command = as_root("env");
        command.arg("-i").args(settings).args(["/usr/sbin/chroot", "--userspec=65532:65532"]).arg(&root.0);
        command.arg("/peerpigeon-server").args(arguments);
        command
    };
    let mut server = inside(&[], &["HOST=0.0.0.0", "PORT=0"]);
    let mut server = Running(server.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let line = BufReader::new(server.0.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("listening on http://0.0.0.0:"))
        .expect("it starts");
    let port = line.rsplit(':').next().unwrap().to_owned();
    assert_eq!(http::get(format!("127.0.0.1:{port}").parse().unwrap(), "/health").status, 200);
    let said = succeed(&mut inside(&["healthcheck"], &["HOST=0.0.0.0", &format!("PORT={port}")]));
    assert_eq!(said, "healthy\n");
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Under sudo it is not ours to kill: it ends with the signal that sudo passes on.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}
