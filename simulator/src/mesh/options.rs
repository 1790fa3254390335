//! What to compare, as the command line says it.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

/// What `--help` shows.
pub(super) const HELP: &str = "\
simulate mesh: how good the meshes are that come of introductions

Pages with room for a few links come and go around the server's core, or around another way to choose whom a
newcomer meets. Prints a table in Markdown.

  --peers N,N,…        sizes of networks [100,1000,10000]
  --capacity N,N,…     links of a page [3,10]
  --choice NAME,NAME,… server, everybody, nearest, random [all four]
  --life SECONDS       mean life time of a page, exponential [600]
  --warm-up SECONDS    virtual time before the first look [600]
  --watch SECONDS      virtual time of the looks, one every 10 s [1200]
  --everybody-most N   largest network in which everybody is told of everybody [10000]
  --seed N             [1]
  --json FILE          write the figures too
";

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) peers: Vec<u32>,
    pub(super) capacities: Vec<u8>,
    pub(super) choices: Vec<Choice>,
    pub(super) life_ms: u64,
    pub(super) warm_up_ms: u64,
    pub(super) watch_ms: u64,
    pub(super) everybody_most: u32,
    pub(super) seed: u64,
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
    Nearest,
    Random,
}

impl Choice {
    const ALL: [Choice; 4] = [Choice::Server, Choice::Everybody, Choice::Nearest, Choice::Random];

    pub(super) fn name(self) -> &'static str {
        match self {
            Choice::Server => "server",
            Choice::Everybody => "everybody",
            Choice::Nearest => "nearest",
            Choice::Random => "random",
        }
    }
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
            capacities: vec![3, 10],
            choices: Choice::ALL.to_vec(),
            life_ms: 600_000,
            warm_up_ms: 600_000,
            watch_ms: 1_200_000,
            everybody_most: 10_000,
            seed: 1,
            json: None,
            line: format!("simulate mesh {}", words.join(" ")).trim_end().to_owned(),
        };
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                Arg::Long("peers") => options.peers = list(&mut parser, 2..=1_000_000_u32)?,
                Arg::Long("capacity") => options.capacities = list(&mut parser, 1..=50_u8)?,
                Arg::Long("choice") => options.choices = choices(&parser.value()?.string()?)?,
                Arg::Long("life") => options.life_ms = millis(&mut parser)?,
                Arg::Long("warm-up") => options.warm_up_ms = millis(&mut parser)?,
                Arg::Long("watch") => options.watch_ms = millis(&mut parser)?,
                Arg::Long("everybody-most") => options.everybody_most = parser.value()?.parse()?,
                Arg::Long("seed") => options.seed = parser.value()?.parse()?,
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

fn list<T>(parser: &mut Parser, allowed: std::ops::RangeInclusive<T>) -> Result<Vec<T>, lexopt::Error>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let text = parser.value()?.string()?;
    let numbers = text.split(',').map(|word| word.parse().ok().filter(|number| allowed.contains(number)));
    numbers.collect::<Option<Vec<T>>>().ok_or_else(|| {
        format!("`{text}` must be whole numbers from {} to {}", allowed.start(), allowed.end()).into()
    })
}

fn choices(text: &str) -> Result<Vec<Choice>, lexopt::Error> {
    let known = |word: &str| Choice::ALL.into_iter().find(|choice| choice.name() == word);
    let choices: Option<Vec<Choice>> = text.split(',').map(known).collect();
    choices.ok_or_else(|| format!("--choice: `{text}` must be of server, everybody, nearest, random").into())
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
    fn sizes_capacities_and_choices_are_lists() {
        let options =
            parse("--peers 100,200 --capacity 3 --choice random,server --life 60").unwrap().unwrap();
        assert_eq!((options.peers, options.capacities), (vec![100, 200], vec![3]));
        assert_eq!(options.choices, [Choice::Random, Choice::Server]);
        assert_eq!(options.life_ms, 60_000);
        assert!(options.line.ends_with("--life 60"));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, part) in [
            ("--peers 1", "from 2 to 1000000"),
            ("--capacity x", "from 1 to 50"),
            ("--choice best", "of server, everybody"),
            ("--watch 1", "at least 10"),
            ("--speed 3", "speed"),
        ] {
            assert!(parse(line).unwrap_err().contains(part), "{line}: {:?}", parse(line));
        }
        assert_eq!(parse("--help"), Ok(None));
    }
}
