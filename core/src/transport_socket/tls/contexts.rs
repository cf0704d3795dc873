//! The TLS contexts that a worker uses now. Others come to it by its mailbox, when certificates or
//! ticket keys have changed; connections go on with what they began with.

use std::cell::RefCell;
use std::sync::Arc;

use super::server_context::ServerContext;

/// The contexts of all filter chains.
#[derive(Debug)]
pub struct ServerContexts(Box<[RefCell<Arc<ServerContext>>]>);

impl ServerContexts {
    /// Those of the beginning.
    pub fn new(contexts: &[Arc<ServerContext>]) -> Self {
        Self(contexts.iter().cloned().map(RefCell::new).collect())
    }

    /// The context at `index`, for a connection that begins.
    pub fn get(&self, index: usize) -> Arc<ServerContext> {
        self.0[index].borrow().clone()
    }

    /// Puts another context in the place of the one at `index`.
    pub fn set(&self, index: usize, context: Arc<ServerContext>) {
        self.0[index].replace(context);
    }
}
