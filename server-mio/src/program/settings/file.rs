//! The file that `CONFIG_FILE` names: lines `NAME=value` in the format of systemd's `EnvironmentFile=`
//! (systemd.exec(5)), so that one file serves both.

use std::iter::Peekable;
use std::str::Chars;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileEntry {
    /// Which line it begins in, from 1.
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) value: String,
}

/// Reads the whole file.
///
/// # Errors
///
/// The first line that is none, and what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<FileEntry>, (usize, &'static str)> {
    let mut reader = Reader { rest: text.chars().peekable(), line: 1 };
    let mut entries = Vec::new();
    loop {
        reader.skip(char::is_whitespace);
        let line = reader.line;
        match reader.rest.peek() {
            None => return Ok(entries),
            Some('#' | ';') => reader.skip_comment(),
            Some(_) => {
                let name = reader.name().ok_or((line, "expected NAME=value, an empty line or a comment"))?;
                let value = reader.value().ok_or((line, "a quotation mark has no second one"))?;
                entries.push(FileEntry { line, name, value });
            }
        }
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        while self.rest.peek().is_some_and(|char| is_skipped(*char)) {
            self.next();
        }
    }

    /// Up to the end of the line; a backslash there goes on with the next one.
    fn skip_comment(&mut self) {
        while let Some(char) = self.next() {
            match char {
                '\n' => return,
                '\\' => drop(self.next()),
                _ => {}
            }
        }
    }

    /// Up to the `=`, which it takes.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        loop {
            match self.next()? {
                '=' => return Some(name.trim_end().to_owned()).filter(|name| !name.is_empty()),
                '\n' => return None,
                char => name.push(char),
            }
        }
    }

    /// Pieces with and without quotation marks, up to the end of the line.
    fn value(&mut self) -> Option<String> {
        self.skip(|char| char == ' ' || char == '\t');
        let mut value = String::new();
        // Blanks at the end do not count, unless they are quoted.
        let mut kept = 0;
        while let Some(char) = self.next() {
            match char {
                '\n' => break,
                '\'' | '"' => {
                    self.quoted(char, &mut value)?;
                    kept = value.len();
                }
                '\\' => {
                    match self.next() {
                        None | Some('\n') => {}
                        Some(char) => value.push(char),
                    }
                    kept = value.len();
                }
                ' ' | '\t' | '\r' => value.push(char),
                char => {
                    value.push(char);
                    kept = value.len();
                }
            }
        }
        value.truncate(kept);
        Some(value)
    }

    /// Up to the mark that it began with. Between double marks a backslash escapes the characters that mean
    /// something to a shell there, and hides the end of a line.
    fn quoted(&mut self, mark: char, value: &mut String) -> Option<()> {
        loop {
            match self.next()? {
                char if char == mark => return Some(()),
                '\\' if mark == '"' => match self.next()? {
                    '\n' => {}
                    char @ ('"' | '\\' | '`' | '$') => value.push(char),
                    char => value.extend(['\\', char]),
                },
                char => value.push(char),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_systemd_reads_them() {
        for (text, expected) in [
            ("A=b", "b"),
            ("  A = b c  ", "b c"),
            ("A=", ""),
            ("A=\"\"", ""),
            ("A=b=c", "b=c"),
            ("A=b # c", "b # c"),
            ("A='b  '", "b  "),
            ("A=\"b \" ", "b "),
            ("A='a\\b\"c'", "a\\b\"c"),
            ("A=\"a\\\"b\\\\c\\$d\\n\"", "a\"b\\c$d\\n"),
            ("A=\"a\"'b'c", "abc"),
            ("A=a\\ ", "a "),
            ("A=a\\\nb", "ab"),
            ("A=\"a\\\nb\"", "ab"),
            ("A='a\nb'", "a\nb"),
            ("A=b\r", "b"),
            ("A=🐦", "🐦"),
        ] {
            let entries = parse(text).unwrap();
            assert_eq!(entries.len(), 1, "{text:?}");
            assert_eq!((entries[0].name.as_str(), entries[0].value.as_str()), ("A", expected), "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted_and_comments_skipped() {
        let text = "# A=1\n\n  ; B=2\nC='3\n'\n#\\\nD=4\r\nE=5";
        let entries = parse(text).unwrap();
        let found: Vec<_> = entries.iter().map(|entry| (entry.line, entry.name.as_str())).collect();
        assert_eq!(found, [(4, "C"), (8, "E")]);
    }

    #[test]
    fn what_is_no_line_is_named() {
        for (text, line) in
            [("A=1\nPORT 3000\n", 2), ("=1", 1), ("A", 1), ("A=1\n\nB='2\nC=3", 3), ("A=\"\\", 1)]
        {
            assert_eq!(parse(text).unwrap_err().0, line, "{text:?}");
        }
    }
}
