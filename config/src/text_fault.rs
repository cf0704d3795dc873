//! What is wrong within a text that has a syntax of its own: a regular expression, a format, a template.

use std::fmt::{self, Display, Formatter};

use crate::report::Note;

/// What is wrong with a text, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFault {
    /// What is wrong. It tells the place, for a text that is not there to be pointed to.
    pub message: String,
    /// What would cure it, where that is known.
    pub help: Option<String>,
    /// The character, from 0, that is wrong; `None` where it is the whole.
    pub character: Option<usize>,
}

impl TextFault {
    /// A fault of the whole text.
    pub(crate) fn of_all(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, character: None }
    }

    /// A fault at a character.
    pub(crate) fn at(character: usize, message: impl Into<String>) -> Self {
        Self { character: Some(character), ..Self::of_all(message) }
    }

    /// Adds the cure.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        self.help_if_known(Some(help.into()))
    }

    /// Adds the cure, where one is known.
    pub(crate) fn help_if_known(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

impl Display for TextFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<TextFault> for Note {
    fn from(fault: TextFault) -> Self {
        let note = Self::from(fault.message).help_if_known(fault.help);
        match fault.character {
            Some(character) => note.at_character(character),
            None => note,
        }
    }
}
