//! What to compare, as the command line says it.

use std::ffi::OsString;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use lexopt::{Arg, Parser, ValueExt};

use super::page::Client;

/// What `--help` shows.
pub(super) const HELP: &str = "\
simulate mesh: how good the meshes are that come of introductions

Pages with room for a few links come and go around the server's core, or around another way to choose whom a
newcomer meets. They decide as the real client does. Prints a table in Markdown.

  --peers N,N,…        sizes of networks [100,1000,10000]
  --capacity N,N+N,…   links of a page [3,10]; 3+10: each of these is as likely
  --choice NAME,NAME,… server, everybody, npm, nearest, random [all but npm]; npm: everybody, as npm's server does it
  --client NAME,NAME   which generation of the client the pages are: 1.1.3, 1.0.6 [1.1.3]
  --blocked PERCENT    pairs of pages that never find a way to each other [0]
  --life SECONDS       mean life time of a page, exponential [600]
  --warm-up SECONDS    virtual time before the first look [600]
  --watch SECONDS      virtual time of the looks, one every 10 s [1200]
  --everybody-most N   largest network in which everybody is told of everybody [1000]
  --seed N             [1]
  --seeds N            so many runs of each case, with the seeds from --seed on: means and standard errors [1]
  --json FILE          write the figures of each run too
";

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) peers: Vec<u32>,
    /// Mixes: each page has one of the capacities of a mix.
    pub(super) capacities: Vec<Vec<u8>>,
    pub(super) choices: Vec<Choice>,
    pub(super) clients: Vec<Client>,
    pub(super) blocked_percent: u8,
    pub(super) life_ms: u64,
    pub(super) warm_up_ms: u64,
    pub(super) watch_ms: u64,
    pub(super) everybody_most: u32,
    pub(super) seed: u64,
    pub(super) seeds: u64,
    pub(super) json: Option<PathBuf>,
    /// As it was given, to be written beside the figures.
    pub(super) line: String,
}

/// A way to choose whom a newcomer meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// What this project's server does.
    Server,
    Everybody,
    /// Everybody, with the other habits of npm's server.
    Npm,
    Nearest,
    Random,
}

impl Choice {
    const ALL: [Choice; 5] =
        [Choice::Server, Choice::Everybody, Choice::Npm, Choice::Nearest, Choice::Random];

    pub(super) fn name(self) -> &'static str {
        match self {
            Choice::Server => "server",
            Choice::Everybody => "everybody",
            Choice::Npm => "npm",
            Choice::Nearest => "nearest",
            Choice::Random => "random",
        }
    }

    /// Whether each newcomer costs frames for everybody.
    pub(super) fn tells_everybody(self) -> bool {
        matches!(self, Choice::Everybody | Choice::Npm)
    }
}

impl Client {
    const ALL: [Client; 2] = [Client::V1_1_3, Client::V1_0_6];

    pub(super) fn name(self) -> &'static str {
        match self {
            Client::V1_1_3 => "1.1.3",
            Client::V1_0_6 => "1.0.6",
        }
    }
}

/// As it is written on the command line.
pub(super) fn mix(capacities: &[u8]) -> String {
    let words: Vec<String> = capacities.iter().map(u8::to_string).collect();
    words.join("+")
}

impl Options {
    /// `None` where help was asked for.
    ///
    /// # Errors
    ///
    /// What is not understood, or not possible.
    pub(super) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<Options>, lexopt::Error> {
        let arguments: Vec<OsString> = arguments.collect();
        let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let mut options = Options {
            peers: vec![100, 1_000, 10_000],
            capacities: vec![vec![3], vec![10]],
            choices: vec![Choice::Server, Choice::Everybody, Choice::Nearest, Choice::Random],
            clients: vec![Client::V1_1_3],
            blocked_percent: 0,
            life_ms: 600_000,
            warm_up_ms: 600_000,
            watch_ms: 1_200_000,
            everybody_most: 1_000,
            seed: 1,
            seeds: 1,
            json: None,
            line: format!("simulate mesh {}", words.join(" ")).trim_end().to_owned(),
        };
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                Arg::Long("peers") => options.peers = list(&mut parser, ',', 2..=1_000_000_u32)?,
                Arg::Long("capacity") => options.capacities = mixes(&parser.value()?.string()?)?,
                Arg::Long("choice") => {
                    options.choices = names("--choice", &mut parser, &Choice::ALL, Choice::name)?;
                }
                Arg::Long("client") => {
                    options.clients = names("--client", &mut parser, &Client::ALL, Client::name)?;
                }
                Arg::Long("blocked") => options.blocked_percent = number(&mut parser, 0..=100)?,
                Arg::Long("life") => options.life_ms = millis(&mut parser)?,
                Arg::Long("warm-up") => options.warm_up_ms = millis(&mut parser)?,
                Arg::Long("watch") => options.watch_ms = millis(&mut parser)?,
                Arg::Long("everybody-most") => options.everybody_most = parser.value()?.parse()?,
                Arg::Long("seed") => options.seed = parser.value()?.parse()?,
                Arg::Long("seeds") => options.seeds = number(&mut parser, 1..=10_000)?,
                Arg::Long("json") => options.json = Some(parser.value()?.into()),
                Arg::Short(_) | Arg::Long(_) | Arg::Value(_) => return Err(argument.unexpected()),
            }
        }
        if options.life_ms == 0 || options.watch_ms < super::LOOK_MS {
            return Err("--life must be at least 1, --watch at least 10".into());
        }
        Ok(Some(options))
    }
}

/// Whole numbers within bounds, apart by `apart`.
fn numbers<T>(text: &str, apart: char, allowed: &RangeInclusive<T>) -> Result<Vec<T>, lexopt::Error>
where
    T: FromStr + PartialOrd + Display,
{
    let words = text.split(apart).map(|word| word.parse().ok().filter(|number| allowed.contains(number)));
    words.collect::<Option<Vec<T>>>().ok_or_else(|| {
        format!("`{text}` must be whole numbers from {} to {}", allowed.start(), allowed.end()).into()
    })
}

fn list<T>(parser: &mut Parser, apart: char, allowed: RangeInclusive<T>) -> Result<Vec<T>, lexopt::Error>
where
    T: FromStr + PartialOrd + Display,
{
    numbers(&parser.value()?.string()?, apart, &allowed)
}

fn number<T>(parser: &mut Parser, allowed: RangeInclusive<T>) -> Result<T, lexopt::Error>
where
    T: FromStr + PartialOrd + Display,
{
    let text = parser.value()?.string()?;
    let number = text.parse().ok().filter(|number| allowed.contains(number));
    number.ok_or_else(|| {
        format!("`{text}` must be a whole number from {} to {}", allowed.start(), allowed.end()).into()
    })
}

fn mixes(text: &str) -> Result<Vec<Vec<u8>>, lexopt::Error> {
    text.split(',').map(|mix| numbers(mix, '+', &(1..=50))).collect()
}

fn names<T: Copy>(
    option: &str,
    parser: &mut Parser,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<Vec<T>, lexopt::Error> {
    let text = parser.value()?.string()?;
    let known = |word: &str| all.iter().copied().find(|one| name(*one) == word);
    let found: Option<Vec<T>> = text.split(',').map(known).collect();
    let allowed: Vec<&str> = all.iter().map(|one| name(*one)).collect();
    found.ok_or_else(|| format!("{option}: `{text}` must be of {}", allowed.join(", ")).into())
}

fn millis(parser: &mut Parser) -> Result<u64, lexopt::Error> {
    let seconds: u32 = parser.value()?.parse()?;
    Ok(u64::from(seconds) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, String> {
        Options::parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn sizes_capacities_choices_and_clients_are_lists() {
        let line = "--peers 100,200 --capacity 3,3+10 --choice random,server --client 1.0.6 --life 60";
        let options = parse(line).unwrap().unwrap();
        assert_eq!((options.peers, options.capacities), (vec![100, 200], vec![vec![3], vec![3, 10]]));
        assert_eq!(options.choices, [Choice::Random, Choice::Server]);
        assert_eq!(options.clients, [Client::V1_0_6]);
        assert_eq!(options.life_ms, 60_000);
        assert!(options.line.ends_with("--life 60"));
        assert_eq!(mix(&[3, 10]), "3+10");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, part) in [
            ("--peers 1", "from 2 to 1000000"),
            ("--capacity x", "from 1 to 50"),
            ("--capacity 3+", "from 1 to 50"),
            ("--choice best", "of server, everybody"),
            ("--client 2", "of 1.1.3, 1.0.6"),
            ("--blocked 101", "from 0 to 100"),
            ("--seeds 0", "from 1 to 10000"),
            ("--watch 1", "at least 10"),
            ("--speed 3", "speed"),
        ] {
            assert!(parse(line).unwrap_err().contains(part), "{line}: {:?}", parse(line));
        }
        assert_eq!(parse("--help"), Ok(None));
    }
}
