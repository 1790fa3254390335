//! A store of mail for tests: it does what it is asked, and answers when it is told to.
#![allow(dead_code, reason = "each test crate uses its part")]

use std::collections::VecDeque;

use peerpigeon_core::{Input, Letter, Question, QuestionId, StoreAnswer};

use crate::common::Board;

#[derive(Default)]
pub struct Shelf {
    /// In the order in which they came, and whether each was taken.
    letters: Vec<(Letter, bool)>,
    /// Answers that it has not given yet.
    pub waiting: VecDeque<(QuestionId, Said)>,
    /// What it was asked to do, in short.
    pub done: Vec<String>,
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Said {
    Stored,
    Taken(Vec<Letter>),
    Gone(u64),
    Failed,
    Unknown,
}

impl Shelf {
    /// Letters that wait.
    pub fn len(&self) -> usize {
        self.letters.iter().filter(|(_, is_taken)| !is_taken).count()
    }

    /// Does all that it was asked; the answers wait.
    pub fn work(&mut self, board: &mut Board) {
        for (id, question) in board.asked.drain(..) {
            self.done.push(brief(&question));
            let said = self.obey(question);
            self.waiting.push_back((id, said));
        }
    }

    /// Does nothing of it, and says so.
    pub fn refuse(&mut self, board: &mut Board, said: &Said) {
        for (id, question) in board.asked.drain(..) {
            self.done.push(format!("not {}", brief(&question)));
            self.waiting.push_back((id, said.clone()));
        }
    }

    /// Gives the answers that wait, and to what is asked because of them.
    pub fn answer(&mut self, board: &mut Board) {
        while let Some((id, said)) = self.waiting.pop_front() {
            tell(board, id, &said);
            self.work(board);
        }
    }

    pub fn serve(&mut self, board: &mut Board) {
        self.work(board);
        self.answer(board);
    }

    fn obey(&mut self, question: Question) -> Said {
        let before = self.len();
        match question {
            Question::Put(letter) => {
                if letter.is_newest {
                    self.take(|other| {
                        (&other.address, &other.sender, &other.kind)
                            == (&letter.address, &letter.sender, &letter.kind)
                    });
                }
                if !self.letters.iter().any(|(other, _)| other.number == letter.number) {
                    self.letters.push((letter, false));
                }
                return Said::Stored;
            }
            Question::Take { address, is_proven } => {
                return Said::Taken(
                    self.take(|letter| letter.address == address && (is_proven || !letter.is_proven)),
                );
            }
            Question::Discard { address, is_proven } => {
                self.take(|letter| letter.address == address && (is_proven || !letter.is_proven));
            }
            Question::DiscardAll => {
                self.take(|_| true);
            }
            Question::Forget { sender, address, is_proven } => {
                self.take(|letter| {
                    letter.sender == sender
                        && address.as_ref().is_none_or(|address| letter.address == *address)
                        && (is_proven || !letter.is_proven)
                });
            }
            Question::Sweep => {}
        }
        Said::Gone((before - self.len()) as u64)
    }

    fn take(&mut self, is_wanted: impl Fn(&Letter) -> bool) -> Vec<Letter> {
        let wanted = self.letters.iter_mut().filter(|(letter, is_taken)| !is_taken && is_wanted(letter));
        wanted
            .map(|(letter, is_taken)| {
                *is_taken = true;
                letter.clone()
            })
            .collect()
    }
}

/// Gives one answer.
pub fn tell(board: &mut Board, id: QuestionId, said: &Said) {
    let answer = match said {
        Said::Stored => StoreAnswer::Stored,
        Said::Taken(letters) => StoreAnswer::Taken(letters),
        Said::Gone(count) => StoreAnswer::Gone(*count),
        Said::Failed => StoreAnswer::Failed,
        Said::Unknown => StoreAnswer::Unknown,
    };
    board.input(Input::Answered { id, answer });
}

fn brief(question: &Question) -> String {
    let short = |text: &str| text.get(..4).unwrap_or(text).to_owned();
    match question {
        Question::Put(letter) => {
            format!("put {} for {}", letter.data.as_deref().unwrap_or("nothing"), short(&letter.address))
        }
        Question::Take { address, is_proven: false } => format!("take {}", short(address)),
        Question::Take { address, is_proven: true } => format!("take all of {}", short(address)),
        Question::Discard { address, .. } => format!("discard {}", short(address)),
        Question::DiscardAll => "discard everything".to_owned(),
        Question::Forget { sender, address, .. } => {
            format!(
                "forget {} for {}",
                short(sender),
                address.as_deref().map_or("everybody".to_owned(), short)
            )
        }
        Question::Sweep => "sweep".to_owned(),
    }
}
