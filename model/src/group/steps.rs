//! Which actions there are in a state, and what they do.

use std::sync::Arc;

use ottla_core::{
    group::GroupTimer,
    session::RequestId,
    types::ErrorCode,
    wire::{Response, messages::join_group::JoinGroupResponse},
};

use super::{
    Action, Budgets, Client, CommitRequest, Commits, Group, Phase, Protocol, State,
    client::{Work, assign},
    coordinator::{Answers, Author, Broker, COMMIT, id_seed, sender},
};

impl Group {
    /// All that can happen. Each changes the state, so that where nothing is offered, nothing more will happen.
    pub(super) fn offer(&self, state: &State, actions: &mut Vec<Action>) {
        for (number, client) in state.clients.iter().enumerate() {
            offer_protocol(state, number, client, actions);
            for (partition, work) in &client.owned {
                self.offer_work(state, (number, *partition), client, work, actions);
            }
            if state.left.crashes > 0 && client.phase != Phase::Dead {
                actions.push(Action::Crash(number));
            }
            if state.left.deaths > 0 && client.works() {
                actions.push(Action::Die(number));
            }
            if state.left.disconnects > 0 && client.works() {
                actions.push(Action::Disconnect(number));
            }
        }
        if state.broker.serves() {
            for index in 0..state.commits.len() {
                let is_first = !state.commits[..index]
                    .iter()
                    .any(|earlier| same_connection(earlier, &state.commits[index]));
                if is_first {
                    actions.push(Action::Deliver(index));
                }
            }
        }
        offer_broker(self, state, actions);
        if state.left != Budgets::default() {
            actions.push(Action::Heal);
        }
    }

    fn offer_work(
        &self,
        state: &State,
        (number, partition): (usize, usize),
        client: &Client,
        work: &Work,
        actions: &mut Vec<Action>,
    ) {
        let Some(position) = work.position else {
            if state.broker.serves() && client.phase == Phase::Stable && !work.revoked {
                actions.push(Action::FetchOffset(number, partition));
            }
            return;
        };
        let may_poll = self.commits == Commits::Auto || work.to_commit.is_none();
        let waits = self.commits == Commits::BeforeProcessing && work.hand.is_some();
        if work.hand.is_none() && may_poll && !work.revoked && position < self.records[partition] {
            actions.push(Action::Poll(number, partition));
        }
        if work.hand.is_some() && (!waits || work.may_process) {
            actions.push(Action::Process(number, partition));
        }
        let under_way = state.commits.iter().any(|sent| {
            (sent.client, sent.connection, sent.partition) == (number, client.connection, partition)
        });
        if work.to_commit.is_some() && !under_way && client.generation >= 0 {
            actions.push(Action::Commit(number, partition));
        }
    }

    /// What a state becomes.
    pub(super) fn step(&self, before: &State, action: &Action) -> State {
        let mut state = before.clone();
        let mut author = None;
        match action {
            Action::Join(number) => self.join(&mut state, *number),
            Action::Sync(number) => self.sync(&mut state, *number),
            Action::Heartbeat(number) => {
                let client = state.clients[*number].clone();
                let error = Arc::make_mut(&mut state.broker).heartbeat(self, &client);
                learn(&mut state.clients[*number], error);
            }
            Action::Revoke(number) => {
                let client = &mut state.clients[*number];
                client.owned.retain(|_, work| !work.revoked);
                client.must_rejoin();
            }
            Action::FetchOffset(number, partition) => {
                let committed = state.broker.committed(*partition);
                let work = work(&mut state, *number, *partition);
                work.position = Some(u8::try_from(committed.max(0)).expect("records are few"));
            }
            Action::Poll(number, partition) => self.poll(&mut state, *number, *partition),
            Action::Process(number, partition) => self.process(&mut state, *number, *partition),
            Action::Commit(number, partition) => send_commit(&mut state, *number, *partition),
            Action::Deliver(index) => {
                let sent = state.commits.remove(*index);
                let answers = Arc::make_mut(&mut state.broker).commit(self, &sent);
                note_answered(&mut state, &answers, sent.partition, sent.offset);
                self.take_commit_answers(&mut state, answers, &sent);
            }
            Action::Written => {
                let writing = state.broker.writes[0].clone();
                author = writing.author;
                let answers = Arc::make_mut(&mut state.broker).written();
                if let Some((partition, offset)) = writing.committed {
                    note_answered(&mut state, &answers, partition, offset);
                }
                take_answers(&mut state, answers);
            }
            Action::TimeOut(timer) => {
                let (broker, answers) = timed_out(&state, timer);
                let hits = hits_the_living(self, &state, &broker, &answers);
                state.left.expiries -= u8::from(hits);
                state.broker = Arc::new(broker);
                take_answers(&mut state, answers);
            }
            Action::Crash(number) => {
                state.left.crashes -= 1;
                let connection = state.clients[*number].connection + 1;
                state.clients[*number] = Client { connection, ..Client::default() };
            }
            Action::Die(number) => {
                state.left.deaths -= 1;
                let connection = state.clients[*number].connection + 1;
                let phase = Phase::Dead;
                state.clients[*number] = Client { connection, phase, ..Client::default() };
            }
            Action::Disconnect(number) => self.disconnect(&mut state, *number),
            Action::Move(durable) => self.move_coordinator(&mut state, *durable),
            Action::Load => Arc::make_mut(&mut state.broker).load(),
            Action::ExpireOffsets => {
                state.left.retentions -= 1;
                let answers = Arc::make_mut(&mut state.broker).expire_offsets();
                take_answers(&mut state, answers);
            }
            Action::Heal => state.left = Budgets::default(),
        }
        look(&mut state, author);
        state
    }

    fn join(&self, state: &mut State, number: usize) {
        if self.protocol == Protocol::Eager {
            state.clients[number].owned.clear();
        }
        let client = state.clients[number].clone();
        let seed = if client.member_id.is_empty() { self.unused_id(state, number) } else { 0 };
        state.clients[number].phase = Phase::Joining;
        let answers = Arc::make_mut(&mut state.broker).join(self, number, &client, seed);
        take_answers(state, answers);
    }

    /// The seed of the first id of a client that nobody remembers.
    fn unused_id(&self, state: &State, number: usize) -> u64 {
        let is_used = |id: &String| {
            state.broker.knows(id)
                || state.clients.iter().any(|client| client.member_id == *id)
                || state.commits.iter().any(|sent| sent.member_id == *id)
        };
        let unused = self.ids[number].iter().position(|id| !is_used(id));
        id_seed(number, unused.expect("there are enough ids") as u64)
    }

    fn sync(&self, state: &mut State, number: usize) {
        let client = &mut state.clients[number];
        client.phase = Phase::Syncing;
        let assignments = client
            .leads
            .take()
            .map(|members| assign(&members, self.records.len(), self.protocol))
            .unwrap_or_default();
        let client = client.clone();
        let answers = Arc::make_mut(&mut state.broker).sync(self, number, &client, assignments);
        take_answers(state, answers);
    }

    fn poll(&self, state: &mut State, number: usize, partition: usize) {
        let commits = self.commits;
        let work = work(state, number, partition);
        let record = work.position.expect("it knows where to begin");
        work.position = Some(record + 1);
        work.hand = Some(record);
        if commits != Commits::AfterProcessing {
            work.to_commit = Some(record + 1);
        }
        work.may_process = false;
        if commits == Commits::AfterProcessing {
            // Until it has processed the record, it might as well not have fetched it.
            self.process(state, number, partition);
        }
    }

    fn process(&self, state: &mut State, number: usize, partition: usize) {
        let commits = self.commits;
        let work = work(state, number, partition);
        let record = work.hand.take().expect("it was handed a record");
        work.may_process = false;
        if commits == Commits::AfterProcessing {
            work.to_commit = Some(record + 1);
        }
        let processed = &mut state.processed[partition][usize::from(record)];
        state.seen.repeated |= *processed && self.is_advised;
        *processed = true;
    }

    /// An OffsetCommit that is refused is answered at once; one that is not, when it is written down.
    fn take_commit_answers(&self, state: &mut State, answers: Answers, sent: &CommitRequest) {
        for (request, response) in answers {
            match ErrorCode::from_code(code(&response)) {
                Some(error) if error != ErrorCode::None => self.refuse_commit(state, sent, error),
                Some(_) | None => take_answers(state, vec![(request, response)]),
            }
        }
    }

    /// A client learns that its commit was refused: it will commit again, unless it is a member no more.
    fn refuse_commit(&self, state: &mut State, sent: &CommitRequest, error: ErrorCode) {
        let client = &mut state.clients[sent.client];
        if client.connection != sent.connection || !client.works() {
            return;
        }
        if let Some(work) = client.owned.get_mut(&sent.partition) {
            work.commit_again(self.commits);
        }
        // It may be further by now: then the refusal is of one that it is no more.
        let is_same = client.generation == sent.generation && client.member_id == sent.member_id;
        let is_stable = client.phase == Phase::Stable;
        if is_same && (is_stable || error != ErrorCode::RebalanceInProgress) {
            learn(client, error);
        }
    }
}

fn take_answers(state: &mut State, answers: Answers) {
    for (request, response) in answers {
        let (number, connection) = sender(request);
        let client = &mut state.clients[number];
        // Who asked may be gone.
        if client.connection == connection && client.works() {
            take_answer(client, request, response);
        }
    }
}

impl Group {
    /// What was sent may arrive still, and it is sent again.
    fn disconnect(&self, state: &mut State, number: usize) {
        state.left.disconnects -= 1;
        let client = &mut state.clients[number];
        lose_answers(client);
        client.connection += 1;
        self.commit_again(state, number);
    }

    fn move_coordinator(&self, state: &mut State, durable: usize) {
        state.left.moves -= 1;
        state.commits.clear();
        state.clients.iter_mut().for_each(lose_answers);
        Arc::make_mut(&mut state.broker).restart(durable);
        (0..state.clients.len()).for_each(|number| self.commit_again(state, number));
    }

    /// A client that has no answer to its commit commits again.
    fn commit_again(&self, state: &mut State, number: usize) {
        for (partition, work) in &mut state.clients[number].owned {
            let committed = state.seen.committed[*partition];
            if work.position.is_some_and(|position| i64::from(position) > committed.max(0)) {
                work.commit_again(self.commits);
            }
        }
    }
}

/// What the protocol asks a client to do next.
fn offer_protocol(state: &State, number: usize, client: &Client, actions: &mut Vec<Action>) {
    // What was sent before on the same connection arrives before.
    let is_clear = !state
        .commits
        .iter()
        .any(|sent| sent.client == number && sent.connection == client.connection);
    let can_ask = state.broker.serves() && is_clear;
    match client.phase {
        Phase::Out if can_ask && client.is_between_polls() => actions.push(Action::Join(number)),
        Phase::Joined if can_ask => actions.push(Action::Sync(number)),
        Phase::Stable => {
            let is_news = state.broker.group().is_none_or(|group| {
                group.generation() != client.generation
                    || !group.members().contains_key(&client.member_id)
                    || group.state() == ottla_core::group::GroupState::PreparingRebalance
            });
            if state.broker.serves() && is_news {
                actions.push(Action::Heartbeat(number));
            }
            let gives_back = client.owned.values().any(|work| work.revoked);
            if gives_back && client.is_between_polls() {
                actions.push(Action::Revoke(number));
            }
        }
        Phase::Out
        | Phase::Joining
        | Phase::Joined
        | Phase::Syncing
        | Phase::Fenced
        | Phase::Dead => {}
    }
}

fn offer_broker(model: &Group, state: &State, actions: &mut Vec<Action>) {
    let broker = &state.broker;
    if !broker.writes.is_empty() {
        actions.push(Action::Written);
    }
    if broker.loaded {
        for (timer, _) in broker.group().into_iter().flat_map(|group| group.timers()) {
            let (after, answers) = timed_out(state, &timer);
            let changes = after != **broker;
            let is_free = !hits_the_living(model, state, &after, &answers);
            if changes && (state.left.expiries > 0 || is_free) {
                actions.push(Action::TimeOut(timer));
            }
        }
        if state.left.moves > 0 {
            actions.extend((0..=broker.writes.len()).map(Action::Move));
        }
        let has_members = broker.group().is_some_and(|group| !group.members().is_empty());
        if state.left.retentions > 0 && has_members {
            let mut after = Broker::clone(broker);
            after.expire_offsets();
            if after != **broker {
                actions.push(Action::ExpireOffsets);
            }
        }
    } else {
        actions.push(Action::Load);
    }
}

fn timed_out(state: &State, timer: &GroupTimer) -> (Broker, Answers) {
    let mut broker = Broker::clone(&state.broker);
    let answers = broker.time_out(timer.clone());
    (broker, answers)
}

/// Whether a process that works is a member no more, or will not become one. To join again is no harm.
fn hits_the_living(model: &Group, state: &State, after: &Broker, answers: &Answers) -> bool {
    let refused = answers.iter().any(|(request, response)| {
        let (number, connection) = sender(*request);
        let client = &state.clients[number];
        let is_harmless = [ErrorCode::None, ErrorCode::RebalanceInProgress]
            .iter()
            .any(|error| error.code() == code(response));
        client.works() && client.connection == connection && !is_harmless
    });
    let is_removed = |id: &String| state.broker.is_member(id) && !after.is_member(id);
    let mut alive = state.clients.iter().enumerate().filter(|(_, client)| client.works());
    refused
        || alive.any(|(number, client)| match (client.phase, client.member_id.is_empty()) {
            // A static member has its place before it is told by which id.
            (Phase::Joining, true) => model.ids[number].iter().any(is_removed),
            (_, true) => false,
            (_, false) => is_removed(&client.member_id),
        })
}

/// The error of an answer.
fn code(response: &Response) -> i16 {
    if let Response::JoinGroup(response) = response {
        response.error_code
    } else if let Response::SyncGroup(response) = response {
        response.error_code
    } else if let Response::OffsetCommit(response) = response {
        response.topics[0].partitions[0].error_code
    } else {
        0
    }
}

/// Notes that a commit was answered, if it was.
fn note_answered(state: &mut State, answers: &Answers, partition: usize, offset: u8) {
    let is_answer = |(_, response): &(RequestId, Response)| {
        matches!(response, Response::OffsetCommit(_)) && code(response) == 0
    };
    if answers.iter().any(is_answer) {
        state.seen.answered[partition] = offset.into();
    }
}

fn same_connection(a: &CommitRequest, b: &CommitRequest) -> bool {
    (a.client, a.connection) == (b.client, b.connection)
}

fn work(state: &mut State, number: usize, partition: usize) -> &mut Work {
    state.clients[number].owned.get_mut(&partition).expect("it owns the partition")
}

fn send_commit(state: &mut State, number: usize, partition: usize) {
    let offset = work(state, number, partition).to_commit.take().expect("it has to commit");
    let client = &state.clients[number];
    state.commits.push(CommitRequest {
        client: number,
        connection: client.connection,
        member_id: client.member_id.clone(),
        generation: client.generation,
        partition,
        offset,
    });
}

fn lose_answers(client: &mut Client) {
    if matches!(client.phase, Phase::Joining | Phase::Syncing) {
        client.must_rejoin();
    }
}

/// Compares what is committed with what was.
fn look(state: &mut State, author: Option<Author>) {
    if !state.broker.loaded {
        return;
    }
    for partition in 0..state.seen.committed.len() {
        let committed = state.broker.committed(partition);
        let before = state.seen.committed[partition];
        if committed < before {
            state.seen.regressed |= author.is_none() || author != state.seen.author[partition];
        }
        if committed != before {
            state.seen.author[partition] = author;
            state.seen.committed[partition] = committed;
        }
    }
}

/// Lets a client take an answer.
fn take_answer(client: &mut Client, request: RequestId, response: Response) {
    let code = code(&response);
    if let Response::JoinGroup(response) = response {
        if take_join(client, response) {
            return;
        }
    } else if let Response::SyncGroup(response) = response {
        if code == 0 {
            client.take_assignment(response.assignment);
        }
    } else {
        let index = usize::try_from(request.number - COMMIT).expect("nobody asked for more");
        if let Some(work) = client.owned.get_mut(&index) {
            work.may_process = work.hand.is_some();
        }
    }
    learn(client, ErrorCode::from_code(code).expect("the core knows it"));
}

/// Takes the answer to a JoinGroup. False if there is an error to learn from.
fn take_join(client: &mut Client, response: JoinGroupResponse) -> bool {
    let error = response.error_code;
    if error == ErrorCode::MemberIdRequired.code() {
        client.member_id = response.member_id;
        client.phase = Phase::Out;
        return true;
    }
    if error == 0 {
        let leads = response.leader == response.member_id && !response.skip_assignment;
        let members = response.members.into_iter();
        let members = members.map(|member| (member.member_id, member.metadata));
        client.leads = leads.then(|| members.collect());
        client.generation = response.generation_id;
        client.member_id = response.member_id;
        client.phase = Phase::Joined;
    }
    error == 0
}

/// What a client does about an error.
fn learn(client: &mut Client, error: ErrorCode) {
    if error == ErrorCode::None {
        return;
    }
    if error == ErrorCode::RebalanceInProgress {
        client.must_rejoin();
        return;
    }
    let member_id = std::mem::take(&mut client.member_id);
    client.lose_membership();
    if error == ErrorCode::IllegalGeneration {
        client.member_id = member_id;
    } else if error == ErrorCode::FencedInstanceId {
        client.phase = Phase::Fenced;
    }
}
