//! What to measure, as the command line says it.

use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) mode: Mode,
    pub(super) remote: SocketAddr,
    pub(super) port: u16,
    pub(super) peers: usize,
    /// Bytes of `data`.
    pub(super) payload: usize,
    /// Offers of one peer under way; handshakes under way.
    pub(super) window: usize,
    /// Messages per second of all peers; `None`: as many as the server can.
    pub(super) rate: Option<u64>,
    pub(super) duration: Duration,
    pub(super) warm_up: Duration,
    pub(super) announce: bool,
    pub(super) burst: bool,
    pub(super) sources: u8,
    /// The server.
    pub(super) pid: Option<u32>,
    /// How often.
    pub(super) count: usize,
    /// Written to peers that do not read.
    pub(super) bytes: usize,
    pub(super) json: bool,
    /// What `start` starts.
    pub(super) command: Vec<OsString>,
    pub(super) bench: BenchOptions,
}

/// What `bench` needs to know beside.
#[derive(Clone, Debug, Default)]
pub(super) struct BenchOptions {
    pub(super) quick: bool,
    /// The server to be measured.
    pub(super) server: OsString,
    /// Where the npm package is installed.
    pub(super) node: Option<OsString>,
    /// Where the results go, without extension.
    pub(super) out: Option<OsString>,
    /// Written into the results.
    pub(super) label: String,
    /// Experiments to make, by name; all of them where it is empty.
    pub(super) only: Vec<String>,
    pub(super) repeat: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Relay,
    Idle,
    Churn,
    Slow,
    Handshakes,
    Start,
    LimitRelay,
    LimitClient,
    LimitIdle,
    LimitHandshakes,
    Bench,
    Help,
}

const MODES: [(&str, Mode); 11] = [
    ("relay", Mode::Relay),
    ("idle", Mode::Idle),
    ("churn", Mode::Churn),
    ("slow", Mode::Slow),
    ("handshakes", Mode::Handshakes),
    ("start", Mode::Start),
    ("limit-relay", Mode::LimitRelay),
    ("limit-client", Mode::LimitClient),
    ("limit-idle", Mode::LimitIdle),
    ("limit-handshakes", Mode::LimitHandshakes),
    ("bench", Mode::Bench),
];

/// What `--help` shows.
pub(super) const HELP: &str = "\
Measures a PeerPigeon signaling server with virtual peers over real sockets.

Usage: simulate load [MODE] --url ws://127.0.0.1:3000 [--FLAG VALUE]...

Modes:
  relay             Pairs of peers; each keeps --window offers under way, each offer is answered with an
                    answer of the same size. With --rate, offers are sent at fixed times instead, and the
                    latency is measured from the time at which each should have been sent. Every message is
                    checked: sender, addressee, payload, order, none twice, none lost. [this is the default]
  idle              Memory and processor time of peers that do nothing; with --announce, announced ones;
                    with --burst, also after each of them has relayed one message and got one.
  churn             --count peers, one after the other, that join --peers announced ones and leave.
  slow              --bytes written to --peers peers that do not read.
  handshakes        --window connections at a time that end as soon as they are open.
  start             From the start of a command (after --) to its first answer to /health; --count times.
  limit-relay       Runs the limit to compare with, on --port: it relays bytes between paired sockets.
  limit-client, limit-idle, limit-handshakes
                    The same as relay, idle and handshakes, against limit-relay.
  bench             Everything, several times, against several servers: see scripts/bench.

Flags:
  --url URL         The server. [ws://127.0.0.1:3000]
  --port NUMBER     Where limit-relay listens. [3001]
  --peers NUMBER    [200]
  --payload BYTES   Size of each message's data, from 65. [250]
  --window NUMBER   [1]
  --rate NUMBER     Messages per second of all peers together.
  --seconds NUMBER  How long is measured. [5]
  --warm-up NUMBER  Seconds before that. [1]
  --announce        Peers announce themselves in the global network.
  --burst
  --count NUMBER    [500]
  --bytes NUMBER    [80000000]
  --sources NUMBER  Addresses of 127.0.0.0/8 that connections come from in turn, 1 to 254. [16]
  --pid NUMBER      The server's process, whose memory and processor time are measured.
  --json            One JSON object instead of lines.

Flags of bench:
  --server PATH     The server to be measured.
  --node DIR        The npm package peerpigeon 0.1.1, installed, to be measured beside it.
  --out PATH        Where the results go: PATH.json and PATH.svg.
  --label TEXT      Written into the results.
  --only NAME       One experiment; may be given several times.
  --repeat NUMBER   How often each is made.
  --quick           Shorter and with fewer peers.
";

impl Default for Options {
    fn default() -> Options {
        Options {
            mode: Mode::Relay,
            remote: SocketAddr::from((Ipv4Addr::LOCALHOST, 3000)),
            port: 3001,
            peers: 200,
            payload: 250,
            window: 1,
            rate: None,
            duration: Duration::from_secs(5),
            warm_up: Duration::from_secs(1),
            announce: false,
            burst: false,
            sources: 16,
            pid: None,
            count: 500,
            bytes: 80_000_000,
            json: false,
            command: Vec::new(),
            bench: BenchOptions::default(),
        }
    }
}

impl Options {
    /// # Errors
    ///
    /// What is not understood, or not possible.
    pub(super) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Options, lexopt::Error> {
        let mut parser = Parser::from_args(arguments);
        let mut options = Options::default();
        let mut has_mode = false;
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Value(word) if options.mode == Mode::Start && has_mode => {
                    options.command.push(word);
                    options.command.extend(parser.raw_args()?);
                }
                Arg::Value(word) if !has_mode => {
                    has_mode = true;
                    options.mode = mode(&word.string()?)?;
                }
                Arg::Short('h') | Arg::Long("help") => options.mode = Mode::Help,
                Arg::Long(flag) => {
                    let flag = flag.to_owned();
                    if !options.measure(&flag, &mut parser)? && !options.bench.flag(&flag, &mut parser)? {
                        return Err(format!("there is no flag --{flag}; --help shows all").into());
                    }
                }
                Arg::Short(_) | Arg::Value(_) => return Err(argument.unexpected()),
            }
        }
        if options.payload <= super::letter::MIN_DATA_BYTES {
            return Err(format!("--payload: at least {}", super::letter::MIN_DATA_BYTES + 1).into());
        }
        if options.peers < 2 || options.window < 1 || options.rate == Some(0) {
            return Err("--peers must be at least 2, --window and --rate at least 1".into());
        }
        Ok(options)
    }

    fn measure(&mut self, flag: &str, parser: &mut Parser) -> Result<bool, lexopt::Error> {
        match flag {
            "url" => self.remote = remote(&parser.value()?.string()?)?,
            "port" => self.port = parser.value()?.parse()?,
            "peers" => self.peers = parser.value()?.parse()?,
            "payload" => self.payload = parser.value()?.parse()?,
            "window" => self.window = parser.value()?.parse()?,
            "rate" => self.rate = Some(parser.value()?.parse()?),
            "seconds" => self.duration = seconds(parser)?,
            "warm-up" => self.warm_up = seconds(parser)?,
            "announce" => self.announce = true,
            "burst" => self.burst = true,
            "sources" => self.sources = parser.value()?.parse()?,
            "pid" => self.pid = Some(parser.value()?.parse()?),
            "count" => self.count = parser.value()?.parse()?,
            "bytes" => self.bytes = parser.value()?.parse()?,
            "json" => self.json = true,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl BenchOptions {
    fn flag(&mut self, flag: &str, parser: &mut Parser) -> Result<bool, lexopt::Error> {
        match flag {
            "quick" => self.quick = true,
            "server" => self.server = parser.value()?,
            "node" => self.node = Some(parser.value()?),
            "out" => self.out = Some(parser.value()?),
            "label" => self.label = parser.value()?.string()?,
            "only" => self.only.push(parser.value()?.string()?),
            "repeat" => self.repeat = Some(parser.value()?.parse()?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn mode(word: &str) -> Result<Mode, lexopt::Error> {
    let known = MODES.iter().find(|(name, _)| *name == word);
    known.map(|(_, mode)| *mode).ok_or_else(|| format!("there is no mode {word:?}; --help shows all").into())
}

fn seconds(parser: &mut Parser) -> Result<Duration, lexopt::Error> {
    let seconds: f64 = parser.value()?.parse()?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string().into())
}

/// A host and a port are all that matters of a URL.
fn remote(url: &str) -> Result<SocketAddr, lexopt::Error> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let found = authority.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found.ok_or_else(|| format!("--url {url:?}: not of the form ws://HOST:PORT").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_mode_it_relays() {
        let options = parse("--url ws://127.0.0.1:4000/x?token=1 --peers 10 --seconds 0.5").unwrap();
        assert_eq!((options.mode, options.peers), (Mode::Relay, 10));
        assert_eq!(options.remote, SocketAddr::from(([127, 0, 0, 1], 4000)));
        assert_eq!(options.duration, Duration::from_millis(500));
    }

    #[test]
    fn what_start_starts_comes_behind_two_dashes() {
        let options = parse("start --count 3 -- server --port 3000").unwrap();
        assert_eq!(options.mode, Mode::Start);
        assert_eq!(options.command, ["server", "--port", "3000"]);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, text) in [
            ("rellay", "there is no mode \"rellay\""),
            ("relay --peer 3", "there is no flag --peer"),
            ("--url nowhere", "--url \"nowhere\""),
            ("--payload 10", "--payload: at least 65"),
            ("--peers 1", "--peers must be at least 2"),
            ("--seconds -1", "negative"),
        ] {
            assert!(parse(line).unwrap_err().contains(text), "{line}: {:?}", parse(line));
        }
    }
}
