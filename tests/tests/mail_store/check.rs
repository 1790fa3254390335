//! What `--check` says of a database: one line, and where that helps, the SQL.

use std::net::TcpListener;
use std::process::Command;

use peerpigeon_tests::postgres::{PASSWORD, Postgres};
use peerpigeon_tests::refused_start;
use peerpigeon_tests::tools::succeed;

/// Exit status, standard output and standard error.
fn check(settings: &[(&str, &str)]) -> (Option<i32>, String, String) {
    refused_start(&["--check"], settings)
}

/// What is said of a database that cannot be used, behind its URL.
fn complaint(url: &str) -> String {
    let (status, stdout, stderr) = check(&[("MAIL_STORE", url)]);
    assert_eq!(status, Some(1), "{stdout}{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(
        !stderr.contains("horse") && !stdout.contains("horse"),
        "the password is shown: {stdout}{stderr}"
    );
    let line = stderr.trim_end();
    let (_, said) = line.split_once("MAIL_STORE, postgres database ").unwrap_or_else(|| panic!("{line}"));
    said.split_once(": ").unwrap_or_else(|| panic!("{line}")).1.to_owned()
}

#[test]
fn a_database_that_is_ready_is_said_to_be_whichever_way_it_is_reached() {
    let database = Postgres::start();
    let socket = format!(
        "postgres://pigeon:{}@/mail?host={}&port={}",
        PASSWORD.replace(' ', "%20"),
        database.folder().display(),
        database.port()
    );
    let file = database.put_file("url", &format!("{}\n", database.url()));
    for url in [&database.url(), &socket, file.to_str().unwrap()] {
        let (status, stdout, stderr) = check(&[("MAIL_STORE", url)]);
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{url}");
        assert!(
            stdout.contains("\n# mail store: ready, postgres database \"mail\" of \"pigeon\" at "),
            "{stdout}"
        );
        assert!(!stdout.contains("horse"), "{stdout}");
    }
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let database = Postgres::start();
    let said = complaint(&database.url_of("pigeon", "battery staple", "mail?sslmode=disable"));
    assert_eq!(said, "it says: password authentication failed for user \"pigeon\" (28P01)");
    let said = complaint(&database.url_of("pigeon", PASSWORD, "letters?sslmode=disable"));
    assert_eq!(said, "it says: database \"letters\" does not exist (3D000)");
    let said = complaint(&format!("postgres://pigeon@127.0.0.1:{}/mail", database.port()));
    assert_eq!(said, "it wants a password, and there is none in MAIL_STORE");
    for (method, expected) in [
        ("password", "it wants the password itself, which is not told: allowed is scram-sha-256"),
        ("md5", "it wants the password by MD5, which whoever listens can undo: allowed is scram-sha-256"),
    ] {
        let password = "SET password_encryption = 'md5'; ALTER ROLE pigeon PASSWORD 'correct horse'";
        database.sql("mail", password);
        database
            .put_file("data/pg_hba.conf", &format!("local all postgres trust\nhost all all all {method}\n"));
        database.sql("mail", "SELECT pg_reload_conf()");
        peerpigeon_tests::wait_until("other rules", || complaint(&database.url()) == expected);
    }
}

#[test]
fn a_place_where_no_database_is_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = complaint(&format!("postgres://pigeon:correct%20horse@{free}/mail"));
    assert!(said.starts_with("no connection: Connection refused"), "{said}");
    let said = complaint("postgres://pigeon:correct%20horse@nowhere.invalid/mail?sslmode=disable");
    assert!(said.starts_with("its host cannot be found: "), "{said}");
    let said = complaint("postgres://pigeon@/mail?host=/nowhere");
    assert!(said.starts_with("no connection: No such file or directory"), "{said}");
}

#[test]
fn who_may_not_make_the_table_is_shown_the_sql_and_who_may_not_use_it_which_rights() {
    let database = Postgres::start();
    database.sql("mail", "CREATE ROLE guest LOGIN PASSWORD 'correct horse'");
    let url = database.url_of("guest", PASSWORD, "mail?sslmode=disable");
    let said = complaint(&url);
    let expected = "the table signaling_messages is missing or lacks something, and the user may not make it \
                    (permission denied for schema public); peerpigeon-server --check shows the SQL for whoever may";
    assert_eq!(said, expected);
    // The SQL does what it is for.
    let (_, stdout, _) = check(&[("MAIL_STORE", &url)]);
    let begin = stdout.find("BEGIN;").expect("SQL behind the settings");
    database.sql("mail", &stdout[begin..]);
    let said = complaint(&url);
    let rights = "the user lacks rights on the table signaling_messages: SELECT, INSERT, UPDATE, DELETE; GRANT gives them";
    assert_eq!(said, rights);
    database.sql("mail", "GRANT SELECT, INSERT, DELETE ON signaling_messages TO guest");
    assert!(complaint(&url).contains("signaling_messages: UPDATE; GRANT"));
    database.sql("mail", "GRANT UPDATE ON signaling_messages TO guest");
    assert_eq!(check(&[("MAIL_STORE", &url)]).0, Some(0), "no right to make anything is needed");
    // A table that has the name and nothing else.
    database.sql("mail", "DROP TABLE signaling_messages; CREATE TABLE signaling_messages (id TEXT)");
    assert!(complaint(&url).starts_with("the table signaling_messages is missing or lacks something"));
}

#[test]
fn a_database_is_believed_by_its_certificate_alone() {
    let folder = std::env::temp_dir().join(format!("peerpigeon-store-ca-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let openssl = |line: &str| succeed(Command::new("openssl").args(line.split(' ')).current_dir(&folder));
    for (name, host) in [("ours", "IP:127.0.0.1"), ("other", "DNS:db.example")] {
        openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -addext subjectAltName={host} \
             -addext basicConstraints=critical,CA:FALSE \
             -keyout {name}.key -out {name}.pem"
        ));
    }
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let [ours, other] = ["ours.pem", "other.pem"].map(|name| folder.join(name).to_str().unwrap().to_owned());

    let plain = Postgres::start();
    let said = complaint(&plain.url_of("pigeon", PASSWORD, "mail?sslmode=require"));
    assert_eq!(said, "TLS: it has none; sslmode=disable would go on without");
    drop(plain);

    let mut database = Postgres::start();
    let [certificate, key] = ["ours.pem", "ours.key"].map(|name| database.put_file(name, &text(name)));
    database.stop();
    let files =
        [format!("ssl_cert_file={}", certificate.display()), format!("ssl_key_file={}", key.display())];
    database.set(&["ssl=on", &files[0], &files[1]]);
    database.resume_after_stop();
    let of = |mode: &str| database.url_of("pigeon", PASSWORD, &format!("mail?sslmode={mode}"));
    assert_eq!(check(&[("MAIL_STORE", &of("require"))]).0, Some(0));
    let full = of("verify-full");
    let (status, stdout, stderr) = check(&[("MAIL_STORE", &full), ("MAIL_STORE_CA", &ours)]);
    assert_eq!(status, Some(0), "{stdout}{stderr}");
    let (status, _, stderr) = check(&[("MAIL_STORE", &full), ("MAIL_STORE_CA", &other)]);
    assert_eq!(status, Some(1));
    assert!(stderr.contains(": TLS: invalid peer certificate: UnknownIssuer"), "{stderr}");
    let named = full.replace("127.0.0.1", "localhost");
    let (status, _, stderr) = check(&[("MAIL_STORE", &named), ("MAIL_STORE_CA", &ours)]);
    assert_eq!(status, Some(1));
    assert!(stderr.contains(": TLS: invalid peer certificate: certificate not valid for name"), "{stderr}");
    // What does not go together is told before anybody is asked.
    let (status, _, stderr) = check(&[("MAIL_STORE", &full)]);
    assert_eq!(status, Some(2));
    assert!(
        stderr.contains("MAIL_STORE with sslmode=verify-full: goes with MAIL_STORE_CA, which is not set"),
        "{stderr}"
    );
    let (status, _, stderr) = check(&[("MAIL_STORE", &of("require")), ("MAIL_STORE_CA", &ours)]);
    assert_eq!(status, Some(2));
    assert!(stderr.contains("MAIL_STORE_CA: only goes with sslmode=verify-full in MAIL_STORE"), "{stderr}");
    std::fs::remove_dir_all(&folder).unwrap();
}
