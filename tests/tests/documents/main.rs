//! Documents: those that come from the source or from measurements, and what holds for those that people write.
#![allow(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod api;
mod architecture;
mod figures;
mod prose;

use core::fmt::Write as _;
use peerpigeon_server::settings::{Group, SETTINGS, Setting, ValueKind, help, markdown_table};
use peerpigeon_tests::tools::repository;
use std::{env, fs};

const NAME: &str = "peerpigeon-server";

/// What is no setting, with its help.
const OTHERS: [(&str, &str); 3] = [
    ("--check", "look the settings over, show those in force, and exit"),
    ("--help", "show all flags"),
    ("--version", "show the version"),
];
const SUBCOMMANDS: [(&str, &str); 2] = [
    (
        "token",
        "mint a token, signed with AUTH_JWT_SECRET; --peer-id, --network and --expires-in bind it to a peer, to \
         networks and to a time",
    ),
    ("healthcheck", "ask the server that runs with these settings whether it is well"),
];

/// Compares a file of the repository with what it should hold, or writes it where that is wanted.
fn hold(path: &str, expected: &str) {
    let path = repository().join(path);
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let hint = "run the test with UPDATE_DOCUMENTS=1 to bring it in line";
    assert!(found == expected, "{} is not as new as the source: {hint}", path.display());
}

fn flag(row: &Setting) -> String {
    format!("--{}", row.name.to_ascii_lowercase().replace('_', "-"))
}

/// The help of a setting without what is only for Markdown.
fn plain(row: &Setting) -> String {
    row.help.replace('`', "")
}

#[test]
fn the_document_of_the_settings() {
    let mut text = "\
# Settings

Made from the table of settings (`server-mio/src/program/settings/table.rs`). How settings are given, and
what a wrong one does: [OPERATIONS.md](OPERATIONS.md#settings). Times are milliseconds, sizes are bytes.
"
    .to_owned();
    for group in Group::ALL {
        let rows = SETTINGS.iter().filter(|row| row.group == group);
        write!(text, "\n## {}\n\n{}", group.title(), markdown_table(rows)).unwrap();
    }
    hold("docs/SETTINGS.md", &prose::wrap(&text));
}

#[test]
fn the_settings_file_of_the_package() {
    let mut text = "\
# Settings of the PeerPigeon signaling server, one NAME=value in a line; those below are the defaults.
# After a change: systemctl reload peerpigeon. What has to wait for a restart is said in the log. HOST and PORT do not
# count while peerpigeon.socket is in use.
"
    .to_owned();
    for group in Group::ALL {
        writeln!(text, "\n## {}", group.title()).unwrap();
        for row in SETTINGS.iter().filter(|row| row.group == group && row.name != "CONFIG_FILE") {
            let is_computed = matches!(row.kind, ValueKind::Number { .. }) && row.default.contains(' ');
            let default = if is_computed { "" } else { row.default };
            writeln!(text, "\n# {}\n# Allowed: {}.", plain(row), row.kind).unwrap();
            if is_computed {
                writeln!(text, "# Default: {}.", row.default).unwrap();
            }
            writeln!(text, "#{}={default}", row.name).unwrap();
        }
    }
    hold("deploy/debian/server.conf", &text);
}

#[test]
fn the_manual_page() {
    let help = help();
    for word in SUBCOMMANDS.iter().flat_map(|(_, text)| text.split([' ', ',', ';'])) {
        assert!(!word.starts_with("--") || help.contains(&format!("token {word} ")), "{word}");
    }
    let escaped = |text: &str| text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    let mut text = format!(
        "\
.\\\" Made from the table of settings.
.TH PEERPIGEON\\-SERVER 1 \"\" \"{NAME} {}\" \"User Commands\"
.SH NAME
peerpigeon\\-server \\- signaling server of the PeerPigeon WebRTC mesh
.SH SYNOPSIS
.B peerpigeon\\-server
.RI [ \\-\\-FLAG \" \" VALUE ]...
.br
.B peerpigeon\\-server healthcheck
.RI [ \\-\\-FLAG \" \" VALUE ]...
.br
.B peerpigeon\\-server token
.RI [ \\-\\-FLAG \" \" VALUE ]...
.SH DESCRIPTION
Browsers connect by WebSocket, announce themselves, are introduced to the peers that they should know, and exchange
offers, answers and ICE candidates; after that their data flows directly between them.
.PP
Each setting is a flag, an environment variable of the name that is given beside it, the same with PEERPIGEON_ before
it, and a line of the file that CONFIG_FILE names. A flag wins over the longer variable, which wins over the plain
one, which wins over the file. Times are milliseconds, sizes are bytes.
.SH SUBCOMMANDS
",
        env!("CARGO_PKG_VERSION")
    );
    for (name, help) in SUBCOMMANDS {
        write!(text, ".TP\n.B {name}\n{}.\n", escaped(help)).unwrap();
    }
    text.push_str(".SH OPTIONS\n");
    for group in Group::ALL {
        writeln!(text, ".SS {}", group.title()).unwrap();
        for row in SETTINGS.iter().filter(|row| row.group == group) {
            let (flag, placeholder) = (escaped(&flag(row)), row.kind.placeholder());
            write!(text, ".TP\n.BI {flag} \" {placeholder}\" \"\\fR, {}\\fR\"\n", row.name).unwrap();
            write!(text, "{}\nAllowed is {}.\n", escaped(&plain(row)), escaped(&row.kind.to_string()))
                .unwrap();
            if !row.default.is_empty() {
                writeln!(text, "The default is {}.", escaped(row.default)).unwrap();
            }
        }
    }
    text.push_str(".SS Other\n");
    for (name, help) in OTHERS {
        write!(text, ".TP\n.B {}\n{}.\n", escaped(name), escaped(help)).unwrap();
    }
    text.push_str(
        "\
.SH SIGNALS
.TP
.BR SIGTERM \", \" SIGINT
Everybody is told to come back, in parts, and the process ends with status 0 within SHUTDOWN_TIMEOUT. A second one ends
it at once with status 1.
.TP
.B SIGHUP
The settings file and the certificate are read again. The log says what has changed and what waits for a restart.
.SH EXIT STATUS
.TP
.B 0
Stopped by a signal, or what was asked for was shown.
.TP
.B 1
It could not go on, or the server is not well.
.TP
.B 2
The settings are wrong; one line on standard error says how.
.SH FILES
.TP
.I /etc/peerpigeon/server.conf
The settings of the service.
",
    );
    hold("deploy/debian/peerpigeon-server.1", &text);
}

#[test]
fn the_completions_for_bash() {
    let mut flags: Vec<String> = SETTINGS.iter().map(flag).collect();
    flags.extend(OTHERS.map(|(name, _)| name.to_owned()));
    let subcommands = SUBCOMMANDS.map(|(name, _)| name).join(" ");
    let mut text = format!(
        "\
# Completions of {NAME} for bash. Made from the table of settings.

_peerpigeon_server() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
    case $previous in
"
    );
    for row in SETTINGS {
        match row.kind {
            ValueKind::Word(words) => {
                let words = words.join(" ");
                write!(text, "    {})\n        COMPREPLY=($(compgen -W '{words}' -- \"$current\"))\n        return\n        ;;\n", flag(row)).unwrap();
            }
            ValueKind::Path | ValueKind::File => {
                write!(text, "    {})\n        COMPREPLY=($(compgen -f -- \"$current\"))\n        return\n        ;;\n", flag(row)).unwrap();
            }
            _ => write!(text, "    {})\n        return\n        ;;\n", flag(row)).unwrap(),
        }
    }
    write!(
        text,
        "    esac
    local words='{}'
    [[ $COMP_CWORD -gt 1 ]] || words=\"{subcommands} $words\"
    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))
}}

complete -o filenames -F _peerpigeon_server {NAME}
",
        flags.join(" ")
    )
    .unwrap();
    hold("deploy/debian/completions/peerpigeon-server.bash", &text);
}

#[test]
fn the_completions_for_zsh() {
    let escaped =
        |text: &str| text.replace('\'', "'\\''").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:");
    let mut text = format!("#compdef {NAME}\n# Made from the table of settings.\n\n_arguments \\\n");
    for row in SETTINGS {
        let values = match row.kind {
            ValueKind::Word(words) => format!("({})", words.join(" ")),
            ValueKind::Path | ValueKind::File => "_files".to_owned(),
            _ => " ".to_owned(),
        };
        writeln!(
            text,
            "  '{}[{}]:{}:{values}' \\",
            flag(row),
            escaped(&plain(row)),
            row.kind.placeholder().replace(':', "\\:")
        )
        .unwrap();
    }
    for (name, help) in OTHERS {
        writeln!(text, "  '{name}[{help}]' \\").unwrap();
    }
    let subcommands = SUBCOMMANDS.map(|(name, _)| name).join(" ");
    writeln!(text, "  '1::subcommand:({subcommands})'").unwrap();
    hold("deploy/debian/completions/peerpigeon-server.zsh", &text);
}

#[test]
fn the_completions_for_fish() {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    let mut text = format!(
        "# Completions of {NAME} for fish. Made from the table of settings.\n\ncomplete -c {NAME} -f\n"
    );
    for (name, help) in SUBCOMMANDS {
        writeln!(text, "complete -c {NAME} -n __fish_use_subcommand -a {name} -d '{help}'").unwrap();
    }
    for row in SETTINGS {
        let values = match row.kind {
            ValueKind::Word(words) => format!(" -a '{}'", words.join(" ")),
            ValueKind::Path | ValueKind::File => " -F".to_owned(),
            _ => String::new(),
        };
        let flag = flag(row);
        writeln!(text, "complete -c {NAME} -l {} -x{values} -d '{}'", &flag[2..], escaped(&plain(row)))
            .unwrap();
    }
    for (name, help) in OTHERS {
        writeln!(text, "complete -c {NAME} -l {} -d '{help}'", &name[2..]).unwrap();
    }
    hold("deploy/debian/completions/peerpigeon-server.fish", &text);
}
