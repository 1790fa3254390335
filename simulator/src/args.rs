//! The command line.

use std::ops::Range;
use std::path::PathBuf;
use std::thread::available_parallelism;

use lexopt::{Arg, Parser, ValueExt};
use peerpigeon_simulator::scenario::Level;

/// The text of `--help`.
pub(crate) const HELP: &str = "\
simulate: runs the signaling server in virtual time and looks for what it does wrong

  --seed N          the scenario that N stands for
  --seeds A..B      all from A up to B, B not included
  --commit HASH     the 200 seeds that a commit's hash stands for
  --scenario FILE   the scenario in a JSON file

  --level LEVEL     message (default): straight into the core; bytes: through the whole server
  --peers N         a crowd of N peers instead of a drawn scenario
  --save FILE       write the scenario; when it breaks a law, the smallest one that does
  --lines N         lines of the diagram of a run that breaks a law (default 60)
  --threads N       runs at once (default: one per processor)

Exit status: 0 when every law held, 1 when one did not, 2 when the command makes no sense.
";

/// What the command was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) what: What,
    pub(crate) level: Level,
    pub(crate) peers: Option<u32>,
    pub(crate) save: Option<PathBuf>,
    pub(crate) lines: usize,
    pub(crate) threads: usize,
}

/// What to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What {
    Seeds(Range<u64>),
    Scenario(PathBuf),
}

/// Seeds of one commit.
const SEEDS_OF_COMMIT: u64 = 200;

impl Args {
    /// Reads the command line; `None` where help was asked for.
    pub(crate) fn parse() -> Result<Option<Args>, String> {
        Args::read(Parser::from_env())
    }

    fn read(mut parser: Parser) -> Result<Option<Args>, String> {
        let threads = available_parallelism().map_or(1, usize::from);
        let (mut what, mut peers, mut save) = (None, None, None);
        let (mut lines, mut runs, mut level) = (60, threads, Level::Messages);
        while let Some(arg) = parser.next().map_err(told)? {
            let asked = match arg {
                Arg::Long("seed") => Some(What::Seeds(one(number(&mut parser, "--seed")?))),
                Arg::Long("seeds") => Some(What::Seeds(range(&text(&mut parser)?)?)),
                Arg::Long("commit") => Some(What::Seeds(commit(&text(&mut parser)?)?)),
                Arg::Long("scenario") => Some(What::Scenario(parser.value().map_err(told)?.into())),
                Arg::Long("level") => {
                    level = level_of(&text(&mut parser)?)?;
                    None
                }
                Arg::Long("peers") => {
                    peers = Some(number(&mut parser, "--peers")?);
                    None
                }
                Arg::Long("save") => {
                    save = Some(parser.value().map_err(told)?.into());
                    None
                }
                Arg::Long("lines") => {
                    lines = number(&mut parser, "--lines")?;
                    None
                }
                Arg::Long("threads") => {
                    runs = number(&mut parser, "--threads")?;
                    None
                }
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => return Err(told(arg.unexpected())),
            };
            if asked.is_some() && what.is_some() {
                return Err("only one of --seed, --seeds, --commit and --scenario is possible".to_owned());
            }
            what = what.or(asked);
        }
        let what = what.ok_or("one of --seed, --seeds, --commit and --scenario is needed; see --help")?;
        let most = peerpigeon_simulator::scenario::Knobs::MOST_SLOTS;
        if peers.is_some_and(|peers| !(1..=most).contains(&peers)) {
            return Err(format!("--peers must be 1 to {most}"));
        }
        Ok(Some(Args { what, level, peers, save, lines, threads: runs }))
    }
}

fn told(error: lexopt::Error) -> String {
    error.to_string()
}

fn text(parser: &mut Parser) -> Result<String, String> {
    parser.value().and_then(|value| value.string()).map_err(told)
}

fn number<T: std::str::FromStr>(parser: &mut Parser, name: &str) -> Result<T, String> {
    let text = text(parser)?;
    text.parse().map_err(|_| format!("{name} must be a whole number, not `{text}`"))
}

fn level_of(name: &str) -> Result<Level, String> {
    match name {
        "message" => Ok(Level::Messages),
        "bytes" => Ok(Level::Bytes),
        _ => Err(format!("--level must be message or bytes, not `{name}`")),
    }
}

fn one(seed: u64) -> Range<u64> {
    seed..seed.saturating_add(1)
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let ends = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    let ends = ends.filter(|range: &Range<u64>| !range.is_empty());
    ends.ok_or_else(|| format!("--seeds must be A..B with A below B, not `{text}`"))
}

/// The seeds of a commit begin where the first 12 digits of its hash say.
fn commit(hash: &str) -> Result<Range<u64>, String> {
    let digits = hash.get(..12).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let start = digits.ok_or_else(|| format!("--commit must be at least 12 hex digits, not `{hash}`"))?;
    Ok(start..start + SEEDS_OF_COMMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Args>, String> {
        Args::read(Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn each_way_to_name_runs_is_understood() {
        let what = |line: &str| read(line).map(|args| args.map(|args| args.what));
        assert_eq!(what("--seed 7"), Ok(Some(What::Seeds(7..8))));
        assert_eq!(what("--seeds 3..10"), Ok(Some(What::Seeds(3..10))));
        assert_eq!(what("--commit 0000000000ff1234"), Ok(Some(What::Seeds(255..455))));
        assert_eq!(what("--scenario a.json"), Ok(Some(What::Scenario("a.json".into()))));
        assert_eq!(what("--help"), Ok(None));
    }

    #[test]
    fn a_bad_command_line_says_what_is_wrong() {
        for (line, part) in [
            ("", "is needed"),
            ("--seed x", "whole number"),
            ("--seeds 5..5", "A below B"),
            ("--commit xyz", "12 hex digits"),
            ("--seed 1 --seeds 1..2", "only one"),
            ("--seed 1 --peers 0", "--peers must be"),
            ("--speed 1", "speed"),
            ("--seed 1 --level atoms", "message or bytes"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
