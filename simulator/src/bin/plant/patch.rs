//! A planted fault as data: what goes wrong, and what stands in the source in place of what.
//!
//! ```text
//! Mail is delivered again.
//!
//! --- core/src/verbs/announce.rs
//! @@
//!  for mail in rest {
//! +    if crate::planted::mail_twice() {
//! +        self.send(slot, mail.message());
//! +    }
//! ```
//!
//! As in a unified diff, lines that begin with a space stay, those with `-` go, those with `+` come; but there are no line
//! numbers, and indentation does not count: the lines of a hunk that stay or go must be found, one below the other, in
//! exactly one place of the file. Each hunk asks its own switch, `planted::` and the name of the fault, which is that of
//! its file. The switches are in the copy only that faults are planted in.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    /// What its file is called, without `.patch`: the name of its switch.
    pub(crate) name: String,
    /// What goes wrong: one line.
    pub(crate) summary: String,
    hunks: Vec<Hunk>,
}

/// One place of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hunk {
    file: String,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Stays(String),
    Goes(String),
    Comes(String),
}

impl Patch {
    /// Every patch of a folder, by name.
    ///
    /// # Errors
    ///
    /// For what cannot be read, is no patch, or is called what no function can be called.
    pub(crate) fn load_all(folder: &Path) -> Result<Vec<Patch>, String> {
        let unreadable = |error| format!("{}: {error}", folder.display());
        let mut patches = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let name = file.strip_suffix(".patch").unwrap_or_default();
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
                return Err(format!("{}: expected a name such as mail_twice.patch", path.display()));
            }
            patches.push(Patch::parse(name, &text)?);
        }
        patches.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(patches)
    }

    /// The folder of the workspace that it is in, by its first hunk.
    pub(crate) fn place(&self) -> &str {
        self.hunks.first().and_then(|hunk| hunk.file.split('/').next()).unwrap_or_default()
    }

    /// # Errors
    ///
    /// For a text that is no patch, or has a hunk that is not behind the switch of this name.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Patch, String> {
        let wrong = |number: usize, what: &str| format!("{name}.patch:{}: {what}", number + 1);
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let (_, summary) =
            lines.next().ok_or_else(|| wrong(0, "expected a line that says what goes wrong"))?;
        let (mut file, mut hunks) = (None, Vec::<Hunk>::new());
        for (number, line) in lines {
            let text = || line[1..].trim().to_owned();
            match (line.as_bytes()[0], &file) {
                (b'-', _) if line.starts_with("--- ") => file = Some(line[4..].to_owned()),
                (b'@', Some(file)) if line == "@@" => {
                    hunks.push(Hunk { file: file.clone(), lines: Vec::new() })
                }
                (sign @ (b' ' | b'-' | b'+'), Some(file)) => {
                    let hunk = hunks.last_mut().filter(|hunk| hunk.file == *file);
                    let hunk = hunk.ok_or_else(|| wrong(number, "expected @@ before it"))?;
                    hunk.lines.push(match sign {
                        b' ' => Line::Stays(text()),
                        b'-' => Line::Goes(text()),
                        _ => Line::Comes(text()),
                    });
                }
                _ => {
                    return Err(wrong(
                        number,
                        "expected --- FILE, @@, or a line that begins with a space, - or +",
                    ));
                }
            }
        }
        let switch = format!("planted::{name}()");
        let is_behind = |hunk: &Hunk| {
            hunk.lines.iter().any(|line| matches!(line, Line::Comes(text) if text.contains(&switch)))
        };
        if hunks.is_empty() || !hunks.iter().all(is_behind) {
            return Err(format!("{name}.patch: expected hunks that each ask {switch}"));
        }
        Ok(Patch { name: name.to_owned(), summary: summary.to_owned(), hunks })
    }
}

/// The files that the patches are of, by their path below `root`, with all of them planted.
///
/// # Errors
///
/// For each hunk whose place is not found once, and each line that two patches replace: which it is, and what to do.
pub(crate) fn plant(patches: &[Patch], root: &Path) -> Result<BTreeMap<String, String>, Vec<String>> {
    let (mut files, mut errors) = (BTreeMap::<&str, Planting>::new(), Vec::new());
    for (patch, hunk) in patches.iter().flat_map(|patch| patch.hunks.iter().map(move |hunk| (patch, hunk))) {
        let planting = files
            .entry(&hunk.file)
            .or_insert_with(|| Planting::of(&fs::read_to_string(root.join(&hunk.file)).unwrap_or_default()));
        if let Err(error) = planting.plant(hunk) {
            errors.push(format!(
                "simulator/faults/{}.patch ({}): {error} in {}. Edit the patch so that its lines are those of the source again; \
                 if what it breaks is no longer there, delete it, and its row in docs/SIMULATION.md",
                patch.name, patch.summary, hunk.file
            ));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(files.into_iter().map(|(file, planting)| (file.to_owned(), planting.text())).collect())
}

/// A file with what goes and what comes. Hunks are looked for in the file as it is, so that none depends on another.
struct Planting {
    lines: Vec<String>,
    gone: Vec<bool>,
    /// What comes before the line of this index.
    comes: Vec<Vec<String>>,
}

impl Planting {
    fn of(text: &str) -> Planting {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        Planting { gone: vec![false; lines.len()], comes: vec![Vec::new(); lines.len() + 1], lines }
    }

    fn plant(&mut self, hunk: &Hunk) -> Result<(), String> {
        let old: Vec<&str> = hunk.lines.iter().filter_map(Line::old).collect();
        let places: Vec<usize> = (0..self.lines.len())
            .filter(|start| self.lines[*start..].len() >= old.len())
            .filter(|start| old.iter().zip(&self.lines[*start..]).all(|(old, line)| *old == line.trim()))
            .collect();
        let shown = old.join("\n    ");
        let [mut at] = places[..] else {
            return Err(format!("found {} times, expected once,\n    {shown}\n", places.len()));
        };
        for line in &hunk.lines {
            match line {
                Line::Stays(_) => at += 1,
                Line::Goes(_) if self.gone[at] => {
                    return Err(format!("replaced by another patch as well, a line of\n    {shown}\n"));
                }
                Line::Goes(_) => {
                    self.gone[at] = true;
                    at += 1;
                }
                Line::Comes(text) => self.comes[at].push(text.clone()),
            }
        }
        Ok(())
    }

    fn text(self) -> String {
        let mut text = String::new();
        let lines = self.lines.into_iter().zip(self.gone).map(|(line, gone)| (!gone).then_some(line));
        for (line, comes) in lines.chain([None]).zip(self.comes) {
            for line in comes.into_iter().chain(line) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }
}

impl Line {
    /// What of the file it is.
    fn old(&self) -> Option<&str> {
        match self {
            Line::Stays(text) | Line::Goes(text) => Some(text),
            Line::Comes(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn every_patch_finds_its_place_in_the_source_as_it_is() {
        let patches = Patch::load_all(&root().join("simulator/faults")).unwrap();
        let errors = plant(&patches, root()).err().unwrap_or_default();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
        assert!(!patches.is_empty());
    }

    #[test]
    fn every_patch_has_a_row_in_the_document() {
        let document = fs::read_to_string(root().join("docs/SIMULATION.md")).unwrap();
        let (_, rows) = document.split_once("| fault | seeds | law |").unwrap();
        let rows = rows.lines().skip(2).take_while(|row| row.starts_with('|'));
        let mut rows: Vec<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
        rows.sort_unstable();
        let patches = Patch::load_all(&root().join("simulator/faults")).unwrap();
        let names: Vec<&str> = patches.iter().map(|patch| patch.name.as_str()).collect();
        assert_eq!(rows, names);
    }

    fn planted(source: &str, patches: &[&str]) -> Result<String, String> {
        let patches: Vec<Patch> = patches.iter().map(|text| Patch::parse("x", text).unwrap()).collect();
        let mut planting = Planting::of(source);
        patches.iter().flat_map(|patch| &patch.hunks).try_for_each(|hunk| planting.plant(hunk))?;
        Ok(planting.text())
    }

    #[test]
    fn lines_go_and_come_whatever_their_indentation() {
        let patch = "It goes wrong.\n\n--- f\n@@\n if a {\n-b();\n+if !planted::x() { b(); }\n";
        let planted = planted("if a {\n    b();\n}\nb();\n", &[patch]);
        assert_eq!(planted.unwrap(), "if a {\nif !planted::x() { b(); }\n}\nb();\n");
    }

    #[test]
    fn one_patch_replaces_what_another_one_only_goes_by() {
        let (replaces, adds) =
            ("w\n--- f\n@@\n-b();\n+planted::x();\n", "w\n--- f\n@@\n b();\n+planted::x(); c();\n");
        for patches in [[replaces, adds], [adds, replaces]] {
            let planted = planted("a();\nb();\n", &patches).unwrap();
            assert_eq!(planted.lines().count(), 3, "{planted}");
        }
        let error = planted("a();\nb();\n", &[replaces, replaces]).unwrap_err();
        assert!(error.contains("another patch"), "{error}");
    }

    #[test]
    fn what_is_not_there_once_is_refused_and_says_what_it_looked_for() {
        let patch = "w\n--- f\n@@\n-b();\n+planted::x();\n";
        for (source, times) in [("a();\n", 0), ("b();\nb();\n", 2)] {
            let error = planted(source, &[patch]).unwrap_err();
            assert!(error.contains(&format!("found {times} times")) && error.contains("b();"), "{error}");
        }
        let missing =
            Patch::parse("x", "It goes wrong.\n--- core/src/no.rs\n@@\n-b();\n+planted::x();\n").unwrap();
        let errors = plant(&[missing], root()).unwrap_err();
        for part in ["simulator/faults/x.patch", "It goes wrong.", "core/src/no.rs", "Edit the patch"] {
            assert!(errors[0].contains(part), "{errors:?}");
        }
    }

    #[test]
    fn a_patch_without_a_switch_or_a_place_is_none() {
        for (text, error) in [
            ("", "x.patch:1: expected a line"),
            ("w\n", "expected hunks that each ask planted::x()"),
            ("w\n--- f\n@@\n-a\n+b\n", "expected hunks that each ask planted::x()"),
            ("w\n--- f\n@@\n-a\n+planted::y()\n", "expected hunks that each ask planted::x()"),
            ("w\n--- f\n-a\n+planted::x()\n", "x.patch:3: expected @@ before it"),
            ("w\n@@\n-a\n", "x.patch:2: expected --- FILE"),
            ("w\n--- f\n@@\nplanted::x()\n", "x.patch:4: expected --- FILE"),
        ] {
            let told = Patch::parse("x", text).unwrap_err();
            assert!(told.contains(error), "{told}");
        }
    }
}
