//! The files in `deploy/` that nothing here can carry out: each is well-formed, says only what its platform documents,
//! and agrees with the program.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use peerpigeon_tests::tools::{packaged, repository, succeed};
use peerpigeon_tests::{Server, refused_start};
use serde_json::Value;

fn text(path: &str) -> String {
    fs::read_to_string(repository().join("deploy").join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_yaml_ng::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All keys with the keys around them, as `services.*.name`; whatever is below one of `free` is the user's to name.
fn keys(value: &Value, free: &[&str]) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, free: &[&str], keys: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    let is_free = free.contains(&path);
                    let key = if is_free { "*" } else { key };
                    let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                    walk(value, &path, free, keys);
                    keys.insert(path);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, path, free, keys)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut all = BTreeSet::new();
    walk(value, "", free, &mut all);
    all
}

/// Each key in the file is one of the documented ones, which are listed as far as they are used.
fn hold(path: &str, value: &Value, free: &[&str], documented: &str) {
    let documented: BTreeSet<String> = documented.split_whitespace().map(str::to_owned).collect();
    assert_eq!(keys(value, free), documented, "{path}");
}

/// Variables that are set for the server are settings that it knows, with values that it takes.
fn settings_are_accepted(path: &str, settings: &[(String, String)]) {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // With the prefix it refuses what it does not know.
    let prefixed: Vec<_> = settings.iter().map(|(name, _)| format!("PEERPIGEON_{name}")).collect();
    let prefixed: Vec<_> =
        prefixed.iter().zip(&settings).map(|(name, (_, value))| (name.as_str(), *value)).collect();
    let (status, _, said) = refused_start(&["--check"], &prefixed);
    assert_eq!(status, Some(0), "{path}: {said}");
}

fn members(value: &Value) -> Vec<(String, String)> {
    let as_text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), as_text(value))).collect()
}

#[test]
fn heroku() {
    let file = text("heroku/Procfile");
    let [line] = file.lines().collect::<Vec<_>>()[..] else { panic!("one process: {file}") };
    // One `name: command` in a line; only `web` gets requests.
    let command = line.strip_prefix("web: ").unwrap();
    let (settings, program) = command.rsplit_once(' ').unwrap();
    assert_eq!(program, "target/release/peerpigeon-server", "where the buildpack builds it");
    let settings: Vec<_> = settings
        .split(' ')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(a, b)| (a.into(), b.into()))
        .collect();
    settings_are_accepted("Procfile", &settings);
    assert!(settings.contains(&("HOST".to_owned(), "0.0.0.0".to_owned())));
}

#[test]
fn railway() {
    let file: Value = serde_json::from_str(&text("railway/railway.json")).unwrap();
    hold(
        "railway.json",
        &file,
        &[],
        "$schema build build.builder build.dockerfilePath deploy deploy.drainingSeconds deploy.healthcheckPath
         deploy.healthcheckTimeout deploy.numReplicas deploy.restartPolicyMaxRetries deploy.restartPolicyType",
    );
    assert_eq!(file["build"]["builder"], "DOCKERFILE");
    assert!(repository().join(file["build"]["dockerfilePath"].as_str().unwrap()).exists());
    assert_eq!(file["deploy"]["numReplicas"], 1, "peers meet only on the same server");
}

#[test]
fn digital_ocean() {
    let file = yaml("digitalocean/app.yaml");
    hold(
        "app.yaml",
        &file,
        &[],
        "name region services services.dockerfile_path services.envs services.envs.key services.envs.value
         services.github services.github.branch services.github.deploy_on_push services.github.repo
         services.health_check services.health_check.failure_threshold services.health_check.http_path
         services.health_check.initial_delay_seconds services.health_check.period_seconds
         services.health_check.timeout_seconds services.http_port services.instance_count
         services.instance_size_slug services.name",
    );
    let service = &file["services"][0];
    assert!(repository().join(service["dockerfile_path"].as_str().unwrap()).exists());
    assert_eq!((&service["instance_count"], &service["http_port"]), (&1.into(), &3000.into()));
    let variables = service["envs"].as_array().unwrap().iter();
    let of = |variable: &Value, name: &str| variable[name].as_str().unwrap().to_owned();
    let settings: Vec<_> = variables.map(|one| (of(one, "key"), of(one, "value"))).collect();
    settings_are_accepted("app.yaml", &settings);
}

#[test]
fn fly() {
    let file: Value = toml::from_str(&text("fly/fly.toml")).unwrap();
    hold(
        "fly.toml",
        &file,
        &["env"],
        "app primary_region kill_signal kill_timeout build build.dockerfile env env.* http_service
         http_service.auto_start_machines http_service.auto_stop_machines http_service.checks
         http_service.checks.grace_period http_service.checks.interval http_service.checks.method
         http_service.checks.path http_service.checks.timeout http_service.concurrency
         http_service.concurrency.hard_limit http_service.concurrency.soft_limit http_service.concurrency.type
         http_service.force_https http_service.internal_port http_service.min_machines_running metrics metrics.path
         metrics.port vm vm.memory vm.size",
    );
    // As its documentation says: relative to the file.
    assert!(repository().join("deploy/fly").join(file["build"]["dockerfile"].as_str().unwrap()).exists());
    settings_are_accepted("fly.toml", &members(&file["env"]));
    let settings = members(&file["env"]);
    let admin = &settings.iter().find(|(name, _)| name == "ADMIN_LISTEN").unwrap().1;
    assert!(admin.ends_with(&format!(":{}", file["metrics"]["port"])), "Fly reads the metrics there");
    let most: u64 = settings.iter().find(|(name, _)| name == "MAX_CONNECTIONS").unwrap().1.parse().unwrap();
    assert!(
        file["http_service"]["concurrency"]["hard_limit"].as_u64().unwrap() > most,
        "the server says no itself"
    );
}

#[test]
fn compose() {
    let file = yaml("docker/compose.yaml");
    hold(
        "compose.yaml",
        &file,
        &["services.server.environment", "networks"],
        "name networks networks.* networks.*.ipam networks.*.ipam.config networks.*.ipam.config.subnet services
         services.nginx services.nginx.depends_on services.nginx.depends_on.server
         services.nginx.depends_on.server.condition services.nginx.image services.nginx.networks
         services.nginx.ports services.nginx.restart services.nginx.volumes services.server services.server.build
         services.server.build.context services.server.build.dockerfile services.server.cap_drop
         services.server.environment services.server.environment.* services.server.expose services.server.networks
         services.server.read_only services.server.restart services.server.security_opt
         services.server.stop_grace_period services.server.ulimits services.server.ulimits.nofile",
    );
    let server = &file["services"]["server"];
    let settings = members(&server["environment"]);
    settings_are_accepted("compose.yaml", &settings);
    let proxies = &settings.iter().find(|(name, _)| name == "TRUSTED_PROXIES").unwrap().1;
    assert_eq!(file["networks"]["inside"]["ipam"]["config"][0]["subnet"].as_str().unwrap(), proxies);
    for volume in file["services"]["nginx"]["volumes"].as_array().unwrap() {
        let path = volume.as_str().unwrap().split(':').next().unwrap();
        assert!(repository().join("deploy/docker").join(path).exists(), "{path}");
    }
}

#[test]
fn compose_of_a_cluster() {
    let file = yaml("docker/cluster.yaml");
    let nodes = ["node1", "node2", "node3"];
    let upstream = text("docker/cluster-upstream.conf");
    let proxies = file["networks"]["inside"]["ipam"]["config"][0]["subnet"].as_str().unwrap();
    for name in nodes {
        let node = &file["services"][name];
        let settings = members(&node["environment"]);
        // Its host is known in the network of this file only, and is asked for.
        let others = settings.iter().filter(|(name, _)| name != "CLUSTER").cloned();
        settings_are_accepted("cluster.yaml", &others.collect::<Vec<_>>());
        let value = |wanted: &str| settings.iter().find(|(name, _)| name == wanted).unwrap().1.clone();
        assert_eq!(value("TRUSTED_PROXIES"), proxies);
        let redis = value("CLUSTER").replace("redis://", "");
        assert!(file["services"][&redis]["image"].is_string(), "{redis} is a service of this file");
        assert!(upstream.contains(&format!("\nserver {name}:3000;\n")), "nginx knows {name}");
    }
    for volume in file["services"]["nginx"]["volumes"].as_array().unwrap() {
        let path = volume.as_str().unwrap().split(':').next().unwrap();
        assert!(repository().join("deploy/docker").join(path).exists(), "{path}");
    }
}

#[test]
fn kubernetes() {
    let text = text("kubernetes/peerpigeon.yaml");
    let objects: Vec<Value> = serde_yaml_ng::Deserializer::from_str(&text)
        .map(|object| serde::Deserialize::deserialize(object).unwrap())
        .collect();
    let find = |kind: &str, name: &str| {
        let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
        objects.iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {name}"))
    };
    let server = find("Deployment", "peerpigeon");
    hold(
        "peerpigeon.yaml",
        server,
        &[
            "metadata.labels",
            "spec.selector.matchLabels",
            "spec.template.metadata.labels",
            "spec.template.metadata.annotations",
            "spec.template.spec.topologySpreadConstraints.labelSelector.matchLabels",
            "spec.template.spec.containers.resources.requests",
            "spec.template.spec.containers.resources.limits",
        ],
        "apiVersion kind metadata metadata.labels metadata.labels.* metadata.name spec spec.replicas spec.selector
         spec.selector.matchLabels spec.selector.matchLabels.* spec.strategy spec.strategy.rollingUpdate
         spec.strategy.rollingUpdate.maxSurge spec.strategy.rollingUpdate.maxUnavailable spec.template
         spec.template.metadata spec.template.metadata.annotations spec.template.metadata.annotations.*
         spec.template.metadata.labels spec.template.metadata.labels.* spec.template.spec
         spec.template.spec.automountServiceAccountToken spec.template.spec.containers
         spec.template.spec.containers.env spec.template.spec.containers.env.name
         spec.template.spec.containers.env.value spec.template.spec.containers.image
         spec.template.spec.containers.lifecycle spec.template.spec.containers.lifecycle.preStop
         spec.template.spec.containers.lifecycle.preStop.sleep
         spec.template.spec.containers.lifecycle.preStop.sleep.seconds
         spec.template.spec.containers.livenessProbe spec.template.spec.containers.livenessProbe.failureThreshold
         spec.template.spec.containers.livenessProbe.periodSeconds
         spec.template.spec.containers.livenessProbe.tcpSocket
         spec.template.spec.containers.livenessProbe.tcpSocket.port spec.template.spec.containers.name
         spec.template.spec.containers.ports spec.template.spec.containers.ports.containerPort
         spec.template.spec.containers.ports.name spec.template.spec.containers.readinessProbe
         spec.template.spec.containers.readinessProbe.httpGet
         spec.template.spec.containers.readinessProbe.httpGet.path
         spec.template.spec.containers.readinessProbe.httpGet.port
         spec.template.spec.containers.readinessProbe.periodSeconds spec.template.spec.containers.resources
         spec.template.spec.containers.resources.limits spec.template.spec.containers.resources.limits.*
         spec.template.spec.containers.resources.requests spec.template.spec.containers.resources.requests.*
         spec.template.spec.containers.securityContext
         spec.template.spec.containers.securityContext.allowPrivilegeEscalation
         spec.template.spec.containers.securityContext.capabilities
         spec.template.spec.containers.securityContext.capabilities.drop
         spec.template.spec.containers.securityContext.readOnlyRootFilesystem
         spec.template.spec.containers.securityContext.runAsNonRoot
         spec.template.spec.containers.securityContext.runAsUser
         spec.template.spec.terminationGracePeriodSeconds spec.template.spec.topologySpreadConstraints
         spec.template.spec.topologySpreadConstraints.labelSelector
         spec.template.spec.topologySpreadConstraints.labelSelector.matchLabels
         spec.template.spec.topologySpreadConstraints.labelSelector.matchLabels.*
         spec.template.spec.topologySpreadConstraints.maxSkew
         spec.template.spec.topologySpreadConstraints.topologyKey
         spec.template.spec.topologySpreadConstraints.whenUnsatisfiable",
    );
    let pod = &server["spec"]["template"];
    let container = &pod["spec"]["containers"][0];
    let of_env = |variable: &Value| {
        let field = |name: &str| variable[name].as_str().unwrap().to_owned();
        (field("name"), field("value"))
    };
    let settings: Vec<_> = container["env"].as_array().unwrap().iter().map(of_env).collect();
    let (bus, others): (Vec<_>, Vec<_>) = settings.into_iter().partition(|(name, _)| name == "CLUSTER");
    settings_are_accepted("peerpigeon.yaml", &others);
    let bus = bus[0].1.replace("redis://", "");
    assert_eq!(find("Service", &bus)["spec"]["ports"][0]["port"], 6379, "where Redis listens by default");
    let app = &pod["metadata"]["labels"];
    assert_eq!(&server["spec"]["selector"]["matchLabels"], app);
    assert_eq!(&find("Service", "peerpigeon")["spec"]["selector"], app);
    assert_eq!(&find("PodDisruptionBudget", "peerpigeon")["spec"]["selector"]["matchLabels"], app);
    let store = find("Deployment", &bus);
    assert_eq!(store["spec"]["template"]["metadata"]["labels"], find("Service", &bus)["spec"]["selector"]);
    assert_eq!(objects.len(), 5);
    // A node that is alone, or drains, is no reason to kill it.
    assert!(container["livenessProbe"]["httpGet"].is_null());
    let patience = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
    let pause = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    assert!(patience > pause + 8, "SHUTDOWN_TIMEOUT is 8 s");
}

#[test]
fn the_unit_of_a_node_says_what_the_unit_of_the_server_says() {
    let lines = |name: &str| -> Vec<String> {
        let of_both = |line: &&str| {
            !["#", "Description=", "After=", "Requires=", "ExecStart=", "Also="]
                .iter()
                .any(|start| line.starts_with(start))
        };
        let text = text(name);
        let lines = text.lines().filter(|line| !line.is_empty()).filter(of_both);
        lines.map(str::to_owned).collect()
    };
    assert_eq!(lines("systemd/peerpigeon@.service"), lines("systemd/peerpigeon.service"));
}

#[test]
fn docker() {
    let file = text("docker/Dockerfile");
    let instructions: Vec<Vec<&str>> = file
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let known = [
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "USER",
        "ENV",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
    ];
    assert!(instructions.iter().all(|words| known.contains(&words[0])), "{file}");
    let last_stage = instructions.iter().rposition(|words| words[0] == "FROM").unwrap();
    assert_eq!(instructions[last_stage][1], "scratch");
    let of = |name: &str| -> Vec<String> {
        let lines = instructions[last_stage..].iter().filter(|words| words[0] == name);
        lines.map(|words| words[1..].join(" ")).collect()
    };
    assert_eq!(of("USER"), ["65532:65532"]);
    assert_eq!(of("COPY"), ["--from=build /peerpigeon-server /peerpigeon-server"], "nothing but the program");
    // Without a shell only lists can be run.
    assert_eq!(of("ENTRYPOINT"), [r#"["/peerpigeon-server"]"#]);
    assert!(of("HEALTHCHECK")[0].ends_with(r#"CMD ["/peerpigeon-server", "healthcheck"]"#));
    assert!(of("RUN").is_empty());
    let script = instructions.iter().find(|words| words[0] == "RUN").unwrap()[1];
    assert!(repository().join(script).exists(), "{script}");
    // What the build needs is let through.
    let ignore = text("docker/Dockerfile.dockerignore");
    let files = ["Cargo.toml", "Cargo.lock", "scripts/build-static", "deploy/static"];
    for needed in files.into_iter().chain(["core", "server-mio", "simulator", "tests"]) {
        assert!(ignore.lines().any(|line| line == format!("!{needed}")), "{needed}");
    }
    a_build_finds_all_it_needs(&ignore);
    let toolchain: Value =
        toml::from_str(&fs::read_to_string(repository().join("rust-toolchain.toml")).unwrap()).unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    assert!(instructions[0][1].starts_with(&format!("rust:{channel}")), "the compiler of the repository");
}

/// What the file lets through is a workspace that Cargo understands.
fn a_build_finds_all_it_needs(ignore: &str) {
    let folder = std::env::temp_dir().join(format!("peerpigeon-context-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut copy = Command::new("tar");
    copy.arg("--create")
        .arg("--directory")
        .arg(repository())
        .args(["--exclude=tests/clients", "--exclude=target"]);
    copy.arg("--file").arg(folder.join("context.tar"));
    succeed(copy.args(ignore.lines().filter_map(|line| line.strip_prefix('!'))));
    succeed(Command::new("tar").args(["--extract", "--file", "context.tar"]).current_dir(&folder));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version=1", "--quiet"]).current_dir(&folder);
    assert!(succeed(&mut cargo).contains("peerpigeon-server"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn terraform() {
    let file = text("terraform/main.tf");
    let body: Value = hcl::from_str(&file).unwrap();
    let server = &body["resource"]["hcloud_server"]["signaling"];
    hold("hcloud_server", server, &[], "name image server_type location ssh_keys firewall_ids user_data");
    let template = text("terraform/cloud-init.yaml");
    let variables = body["variable"].as_object().unwrap();
    // What the template asks for is filled in, by what there is.
    for (at, _) in template.match_indices("${") {
        let name = template[at + 2..].split('}').next().unwrap();
        assert!(variables.contains_key(name), "{name}");
        assert!(file.contains(&format!("var.{name}\n")), "{name} is given to the template");
    }
    let filled = template.replace("${max_connections}", "5000").replace("${", "").replace('}', "");
    assert!(filled.starts_with("#cloud-config\n"));
    let cloud: Value = serde_yaml_ng::from_str(&filled.replace("domain {", "domain ")).unwrap();
    hold(
        "cloud-init.yaml",
        &cloud,
        &[],
        "package_update package_upgrade packages runcmd write_files write_files.content write_files.path",
    );
    let settings = cloud["write_files"][0]["content"].as_str().unwrap().lines();
    let settings: Vec<_> =
        settings.map(|line| line.split_once('=').unwrap()).map(|(a, b)| (a.into(), b.into())).collect();
    settings_are_accepted("cloud-init.yaml", &settings);
    for (sums, expected) in [(true, "curl apt-get systemctl "), (false, "curl ")] {
        assert_eq!(ran(&cloud["runcmd"], sums), expected, "the checksum is right: {sums}");
    }
}

/// Which of the commands of a `runcmd` run, where the checksum of the package is right or not. As cloud-init does it: all in one
/// script for `sh`, texts as they are and lists quoted.
fn ran(commands: &Value, sums: bool) -> String {
    let folder = std::env::temp_dir().join(format!("peerpigeon-runcmd-{}-{sums}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let log = folder.join("log");
    for name in ["curl", "apt-get", "systemctl", "sha256sum"] {
        let deed = match name {
            "sha256sum" => if sums { "exit 0" } else { "exit 1" }.to_owned(),
            _ => format!("printf '%s ' {name} >>'{}'", log.display()),
        };
        fs::write(folder.join(name), format!("#!/bin/sh\n{deed}\n")).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let quoted = |word: &Value| format!("'{}'", word.as_str().unwrap().replace('\'', r"'\''"));
    let line = |command: &Value| match command.as_array() {
        Some(words) => words.iter().map(quoted).collect::<Vec<_>>().join(" ") + "\n",
        None => command.as_str().unwrap().to_owned() + "\n",
    };
    let script: String = commands.as_array().unwrap().iter().map(line).collect();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    Command::new("sh").args(["-c", &script]).env("PATH", path).output().unwrap();
    let ran = fs::read_to_string(log).unwrap();
    fs::remove_dir_all(folder).unwrap();
    ran
}

#[test]
fn the_units_are_well_formed_and_hardened() {
    let folder = std::env::temp_dir().join(format!("peerpigeon-units-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    // The program and the manual page are not installed here.
    let program = packaged("peerpigeon-server").canonicalize().unwrap();
    let service =
        text("systemd/peerpigeon.service").replace("/usr/bin/peerpigeon-server", program.to_str().unwrap());
    fs::write(folder.join("peerpigeon.service"), service).unwrap();
    let node =
        text("systemd/peerpigeon@.service").replace("/usr/bin/peerpigeon-server", program.to_str().unwrap());
    fs::write(folder.join("peerpigeon@.service"), node).unwrap();
    fs::write(folder.join("peerpigeon.socket"), text("systemd/peerpigeon.socket")).unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify
        .args(["verify", "--man=no"])
        .arg(folder.join("peerpigeon.service"))
        .arg(folder.join("peerpigeon@3001.service"))
        .arg(folder.join("peerpigeon.socket"));
    let said = succeed(&mut verify);
    assert!(!said.contains("peerpigeon."), "{said}");
    // In tenths: 1.5 of 10. Network and Unix sockets are what the service is for.
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--no-pager", "--threshold=15"]);
    let said = succeed(security.arg(folder.join("peerpigeon.service")));
    println!("{}", said.lines().rfind(|line| line.contains("Overall")).unwrap());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_settings_file_of_the_package_is_accepted_as_it_is_and_with_every_line_in_force() {
    let path = repository().join("deploy/debian/server.conf");
    let server = Server::with(&[("CONFIG_FILE", path.to_str().unwrap())]);
    server.stop();
    let shipped = fs::read_to_string(path).unwrap();
    // What begins with a name behind the mark is a setting, and its default.
    let is_setting =
        |line: &&str| line.strip_prefix('#').is_some_and(|rest| rest.starts_with(char::is_uppercase));
    let all: Vec<_> = shipped.lines().filter(is_setting).collect();
    assert!(all.len() > 40);
    let in_force = |line: &&&str| !line.ends_with('=');
    let text: String = all.iter().filter(in_force).map(|line| format!("{}\n", &line[1..])).collect();
    let file = std::env::temp_dir().join(format!("peerpigeon-all-settings-{}", std::process::id()));
    fs::write(&file, text).unwrap();
    let (status, _, said) = refused_start(&["--check", "--config-file", file.to_str().unwrap()], &[]);
    fs::remove_file(file).unwrap();
    assert_eq!(status, Some(0), "{said}");
}
