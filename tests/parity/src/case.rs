//! What a case works with: connections to the broker, and a transcript of what is asked and answered on them.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use crate::{
    client::{Ask, Client, Failure, Outcome, Sent},
    mask::{self, Mask},
    tree::Tree,
};

/// How a case ends.
pub(crate) type Done = Result<(), Failure>;

/// One of a case's connections. A case begins with [`A`]; the others are made when they are first used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connection(usize);

pub(crate) const A: Connection = Connection(0);
pub(crate) const B: Connection = Connection(1);
pub(crate) const C: Connection = Connection(2);
pub(crate) const D: Connection = Connection(3);

/// How long to wait for what the broker does behind its answers, such as making a topic's partitions.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);
const SETTLE_INTERVAL: Duration = Duration::from_millis(5);

/// How long to wait for an answer before it counts as none.
const PATIENCE: Duration = Duration::from_secs(15);
/// As [`PATIENCE`], where none is expected.
const SHORT_PATIENCE: Duration = Duration::from_millis(400);

/// What all names of topics and groups begin with.
const PREFIX: &str = "parity";

/// A case under way.
#[derive(Debug)]
pub(crate) struct Case {
    prefix: String,
    address: SocketAddr,
    clients: Vec<Client>,
    mask: Mask,
    left_out: Vec<&'static str>,
    transcript: String,
}

/// A request that was sent, and on which connection.
#[derive(Debug)]
pub(crate) struct Pending<R> {
    connection: Connection,
    sent: Sent<R>,
}

impl Case {
    /// A case with this name, at the start.
    pub(crate) fn new(name: &str, address: SocketAddr) -> Self {
        Self {
            prefix: format!("{PREFIX}.{}.", name.replace('/', ".")),
            address,
            clients: Vec::new(),
            mask: Mask::default(),
            left_out: Vec::new(),
            transcript: String::new(),
        }
    }

    /// What was asked and answered.
    pub(crate) fn into_transcript(self) -> String {
        self.transcript
    }

    /// The name of a topic or group of this case alone.
    pub(crate) fn name(&self, label: &str) -> String {
        format!("{}{label}", self.prefix)
    }

    /// Keeps answers without this field, which other cases keep.
    pub(crate) fn leave_out(&mut self, field: &'static str) {
        self.left_out.push(field);
    }

    /// Keeps answers whole from now on.
    pub(crate) fn leave_nothing_out(&mut self) {
        self.left_out.clear();
    }

    /// The connection's client.
    pub(crate) fn client(&mut self, Connection(index): Connection) -> Result<&mut Client, Failure> {
        while self.clients.len() <= index {
            self.clients.push(Client::connect(self.address)?);
        }
        Ok(&mut self.clients[index])
    }

    /// Sends a request and keeps it and its answer.
    pub(crate) fn ask<R: Ask>(&mut self, version: i16, request: R) -> Result<R::Response, Failure> {
        self.ask_on(A, version, request)
    }

    /// As [`Self::ask`], on a connection of choice.
    pub(crate) fn ask_on<R: Ask>(
        &mut self,
        connection: Connection,
        version: i16,
        request: R,
    ) -> Result<R::Response, Failure> {
        let pending = self.send::<R>(connection, version, request)?;
        self.receive(pending)
    }

    /// As [`Self::ask`], and keeps of the answer only what has the case's own names.
    pub(crate) fn ask_own<R: Ask>(
        &mut self,
        version: i16,
        request: R,
    ) -> Result<R::Response, Failure> {
        let pending = self.send::<R>(A, version, request)?;
        let response = self.client(A)?.receive(&pending.sent)?;
        let mut tree = Tree::of(&response);
        mask::retain_own(&mut tree, &self.prefix);
        self.keep_answer_tree::<R>(A, tree);
        Ok(response)
    }

    /// Sends a request over and over until its answer is as wanted, and keeps that answer, or the last.
    pub(crate) fn ask_until<R: Ask>(
        &mut self,
        version: i16,
        request: R,
        wanted: impl Fn(&R::Response) -> bool,
    ) -> Result<R::Response, Failure> {
        self.keep_request(A, version, &request);
        let response = self.poll(A, version, &request, wanted)?;
        self.keep_answer::<R>(A, &response);
        Ok(response)
    }

    /// Sends a request of which nothing is kept.
    pub(crate) fn quiet<R: Ask>(
        &mut self,
        version: i16,
        request: R,
    ) -> Result<R::Response, Failure> {
        let client = self.client(A)?;
        let sent = client.send(version, &request)?;
        client.receive(&sent)
    }

    /// As [`Self::quiet`], over and over until the answer is as wanted.
    pub(crate) fn until<R: Ask>(
        &mut self,
        version: i16,
        request: R,
        wanted: impl Fn(&R::Response) -> bool,
    ) -> Result<R::Response, Failure> {
        self.until_on(A, version, request, wanted)
    }

    /// As [`Self::until`], on a connection of choice.
    pub(crate) fn until_on<R: Ask>(
        &mut self,
        connection: Connection,
        version: i16,
        request: R,
        wanted: impl Fn(&R::Response) -> bool,
    ) -> Result<R::Response, Failure> {
        let response = self.poll(connection, version, &request, &wanted)?;
        if wanted(&response) {
            return Ok(response);
        }
        Err(Failure::Unexpected(format!("set-up waited in vain: {request:?} {response:?}")))
    }

    fn poll<R: Ask>(
        &mut self,
        connection: Connection,
        version: i16,
        request: &R,
        wanted: impl Fn(&R::Response) -> bool,
    ) -> Result<R::Response, Failure> {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        loop {
            let client = self.client(connection)?;
            let sent = client.send(version, request)?;
            let response = client.receive(&sent)?;
            if wanted(&response) || Instant::now() > deadline {
                return Ok(response);
            }
            thread::sleep(SETTLE_INTERVAL);
        }
    }

    /// Sends a request and keeps it; its answer comes with [`Self::receive`].
    pub(crate) fn send<R: Ask>(
        &mut self,
        connection: Connection,
        version: i16,
        request: R,
    ) -> Result<Pending<R>, Failure> {
        self.keep_request(connection, version, &request);
        let sent = self.client(connection)?.send(version, &request)?;
        Ok(Pending { connection, sent })
    }

    /// Waits for an answer and keeps it.
    pub(crate) fn receive<R: Ask>(&mut self, pending: Pending<R>) -> Result<R::Response, Failure> {
        let response = self.client(pending.connection)?.receive(&pending.sent)?;
        self.keep_answer::<R>(pending.connection, &response);
        Ok(response)
    }

    /// Sends a request, and keeps it and what comes of it: an answer, nothing, or the end of the connection.
    pub(crate) fn outcome<R: Ask>(
        &mut self,
        connection: Connection,
        version: i16,
        request: R,
    ) -> Done {
        let pending = self.send::<R>(connection, version, request)?;
        self.await_outcome(pending, PATIENCE)
    }

    /// As [`Self::outcome`], where no answer is expected.
    pub(crate) fn no_answer<R: Ask>(&mut self, version: i16, request: R) -> Done {
        let pending = self.send::<R>(A, version, request)?;
        self.expect_nothing(pending)
    }

    /// Waits a little for an answer that is not expected, and keeps what comes.
    pub(crate) fn expect_nothing<R: Ask>(&mut self, pending: Pending<R>) -> Done {
        self.await_outcome(pending, SHORT_PATIENCE)
    }

    fn await_outcome<R: Ask>(&mut self, pending: Pending<R>, patience: Duration) -> Done {
        let connection = pending.connection;
        let outcome = self.client(connection)?.outcome(&pending.sent, patience)?;
        self.keep_outcome::<R>(connection, &outcome);
        Ok(())
    }

    /// Sends bytes as they are, and keeps what they are called and what comes of them: an answer to a request of type
    /// `R` in this version, nothing, or the end of the connection.
    pub(crate) fn raw<R: Ask>(&mut self, what: &str, bytes: &[u8], version: i16) -> Done {
        self.raw_within::<R>(what, bytes, version, PATIENCE)
    }

    /// As [`Self::raw`], where no answer is expected.
    pub(crate) fn raw_unanswered<R: Ask>(&mut self, what: &str, bytes: &[u8]) -> Done {
        self.raw_within::<R>(what, bytes, 0, SHORT_PATIENCE)
    }

    fn raw_within<R: Ask>(
        &mut self,
        what: &str,
        bytes: &[u8],
        version: i16,
        patience: Duration,
    ) -> Done {
        self.keep(A, '>', what);
        let client = self.client(A)?;
        let outcome = match client.send_bytes(bytes) {
            Ok(()) => client.raw_outcome::<R>(version, patience)?,
            // The broker may close before it has read everything.
            Err(Failure::Closed) => Outcome::Closed,
            Err(failure) => return Err(failure),
        };
        self.keep_outcome::<R>(A, &outcome);
        Ok(())
    }

    /// Keeps a remark.
    pub(crate) fn note(&mut self, remark: &str) {
        writeln!(self.transcript, "# {remark}").expect("a string takes all that is written");
    }

    fn keep_request<R: Ask>(&mut self, connection: Connection, version: i16, request: &R) {
        let what = format!("{} v{version} ", R::KEY.name());
        let usual = Tree::of(&R::default());
        let tree = Tree::of(request).without_defaults(Some(&usual));
        let printed = self.mask.apply(tree).printed(what.len() + 2);
        self.keep(connection, '>', &format!("{what}{printed}"));
    }

    fn keep_answer<R: Ask>(&mut self, connection: Connection, response: &R::Response) {
        self.keep_answer_tree::<R>(connection, Tree::of(response));
    }

    fn keep_outcome<R: Ask>(&mut self, connection: Connection, outcome: &Outcome<R::Response>) {
        match outcome {
            Outcome::Answer(response) => self.keep_answer::<R>(connection, response),
            Outcome::Closed => self.keep(connection, '<', "connection closed"),
            Outcome::Silence => self.keep(connection, '<', "nothing"),
        }
    }

    fn keep_answer_tree<R: Ask>(&mut self, connection: Connection, tree: Tree) {
        let mut tree = self.mask.apply(tree.without_absent().without_fields(&self.left_out));
        mask::sort_unordered(R::KEY, &mut tree);
        self.keep(connection, '<', &tree.printed(2));
    }

    fn keep(&mut self, connection: Connection, direction: char, what: &str) {
        let label = match connection {
            A => "",
            B => "B",
            C => "C",
            _ => "D",
        };
        writeln!(self.transcript, "{label}{direction} {what}")
            .expect("a string takes all that is written");
    }
}
