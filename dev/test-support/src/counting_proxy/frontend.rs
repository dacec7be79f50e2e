//! What the client says in PostgreSQL's protocol, version 3: messages of a type byte, a length and a body, after
//! start-up messages without a type.

use std::collections::HashMap;

use super::{Asked, Prepared};

/// The code of a start-up message that opens a session: version 3.0.
const VERSION_3: u32 = 196_608;
/// A message's length counts itself.
const LENGTH: usize = 4;

/// Reads one session.
#[derive(Debug, Default)]
pub(super) struct Frontend {
    unread: Vec<u8>,
    is_open: bool,
    statements: HashMap<String, Prepared>,
    asked: Vec<Asked>,
}

impl Frontend {
    /// Takes the next bytes; answers what each round trip that ends in them asks.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<Vec<Asked>> {
        self.unread.extend_from_slice(bytes);
        let mut trips = Vec::new();
        while let Some((kind, body)) = self.message() {
            let ends_trip = match kind {
                None => self.start_up(&mut Body(&body)),
                Some(kind) => self.typed(kind, &mut Body(&body)),
            };
            if ends_trip {
                trips.push(std::mem::take(&mut self.asked));
            }
        }
        trips
    }

    /// The next whole message: its type, if it has one, and its body.
    fn message(&mut self) -> Option<(Option<u8>, Vec<u8>)> {
        let (kind, rest) = match (self.is_open, self.unread.as_slice()) {
            (true, [kind, rest @ ..]) => (Some(*kind), rest),
            (true, []) => return None,
            (false, rest) => (None, rest),
        };
        let length = u32::from_be_bytes(*rest.first_chunk::<LENGTH>()?);
        let length = usize::try_from(length).expect("a length");
        let body = rest.get(LENGTH..length)?.to_vec();
        self.unread.drain(..length + usize::from(kind.is_some()));
        Some((kind, body))
    }

    fn start_up(&mut self, body: &mut Body<'_>) -> bool {
        // Otherwise it asks for encryption, or for a cancellation.
        self.is_open = body.u32() == VERSION_3;
        self.asked.push(Asked::Open);
        true
    }

    fn typed(&mut self, kind: u8, body: &mut Body<'_>) -> bool {
        match kind {
            b'P' => {
                let (name, text) = (body.text(), body.text());
                let types = (0..body.u16()).map(|_| body.u32()).collect();
                let statement = Prepared { text, types };
                self.asked.push(Asked::Prepare(statement.clone()));
                self.statements.insert(name, statement);
                false
            }
            b'B' => {
                let (_portal, name) = (body.text(), body.text());
                let statement = self.statement(&name);
                // Prepared and run at once: that is one thing.
                self.asked.retain(|asked| *asked != Asked::Prepare(statement.clone()));
                self.asked.push(Asked::Run(statement, body.parameters()));
                false
            }
            b'C' => {
                if body.u8() == b'S' {
                    let statement = self.statement(&body.text());
                    self.asked.push(Asked::Forget(statement));
                }
                false
            }
            b'Q' => {
                self.asked.push(Asked::Query(body.text()));
                true
            }
            b'p' => {
                self.asked.push(Asked::Open);
                true
            }
            // Sync; and Flush, after which the client may wait as well.
            b'S' | b'H' => true,
            // Describe and Execute belong to what was bound or prepared before; the rest is a COPY's data, or the end.
            b'D' | b'E' | b'd' | b'c' | b'f' | b'X' => false,
            other => {
                self.asked.push(Asked::Other(char::from(other)));
                true
            }
        }
    }

    fn statement(&self, name: &str) -> Prepared {
        self.statements.get(name).cloned().unwrap_or_else(|| panic!("no statement was prepared as {name:?}"))
    }
}

/// What is left of a message's body.
struct Body<'a>(&'a [u8]);

impl Body<'_> {
    fn take(&mut self, length: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().expect("two bytes"))
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().expect("four bytes"))
    }

    /// Up to a zero byte.
    fn text(&mut self) -> String {
        let length = self.0.iter().position(|byte| *byte == 0).expect("a text's end");
        let text = String::from_utf8_lossy(self.take(length)).into_owned();
        self.take(1);
        text
    }

    /// The parameters of a Bind, after the forms in which they are sent. A length of -1 is NULL.
    fn parameters(&mut self) -> Vec<Option<Vec<u8>>> {
        for _form in 0..self.u16() {
            self.u16();
        }
        let count = self.u16();
        let mut parameters = Vec::with_capacity(count.into());
        for _ in 0..count {
            let length = self.u32();
            let is_null = length == u32::MAX;
            parameters.push((!is_null).then(|| self.take(usize::try_from(length).expect("a length")).to_vec()));
        }
        parameters
    }
}
