//! Dynamic metadata of a stream: what filters have noted. Decisions of policies are written down when
//! somebody reads it, so that they cost nothing where nobody does.

use std::cell::OnceCell;
use std::rc::Rc;

use ringmain_config::metadata::Metadata;
use smallvec::SmallVec;

use crate::rbac::Note;

/// The metadata.
#[derive(Debug, Default, Clone)]
pub struct DynamicMetadata {
    written: Option<Rc<Metadata>>,
    /// What is noted since.
    notes: SmallVec<[Note; 2]>,
    /// Both, once somebody has asked.
    whole: OnceCell<Rc<Metadata>>,
}

impl DynamicMetadata {
    /// All of it.
    pub fn get(&self) -> Option<&Metadata> {
        if self.notes.is_empty() {
            return self.written.as_deref();
        }
        Some(self.whole.get_or_init(|| self.with_notes()))
    }

    /// That without decisions: enough for who looks for what other filters write.
    pub fn written(&self) -> Option<&Metadata> {
        self.written.as_deref()
    }

    /// All of it, to be changed.
    pub fn get_mut(&mut self) -> &mut Metadata {
        if !self.notes.is_empty() {
            self.written = Some(self.with_notes());
            self.notes.clear();
            self.whole.take();
        }
        Rc::make_mut(self.written.get_or_insert_default())
    }

    /// Adds a decision.
    pub fn note(&mut self, note: Note) {
        self.whole.take();
        self.notes.push(note);
    }

    fn with_notes(&self) -> Rc<Metadata> {
        let mut metadata = self.written.as_deref().cloned().unwrap_or_default();
        self.notes.iter().for_each(|note| note.write(&mut metadata));
        Rc::new(metadata)
    }
}

impl From<Option<Rc<Metadata>>> for DynamicMetadata {
    fn from(written: Option<Rc<Metadata>>) -> Self {
        Self { written, ..Self::default() }
    }
}
