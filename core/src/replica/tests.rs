//! Replicas over lists, step by step.

use alloc::{vec, vec::Vec};

use super::{
    Acks, FetchAnswer, Peer, Proposal, Replica, ReplicaFetch, ReplicaLog, Taken, Turn, View, Want,
    list_log::{Batch, ListLog},
};
use crate::types::{BrokerEpoch, BrokerId, ErrorCode, LeaderEpoch, Offset};

type Log = ListLog<u8>;

fn view(leader: i32, leader_epoch: i32, partition_epoch: i32, isr: &[i32]) -> View {
    let peer =
        |id: i32| (BrokerId(id), Peer { epoch: BrokerEpoch(i64::from(id) + 10), is_active: true });
    View {
        replicas: (0..3).map(BrokerId).collect(),
        isr: isr.iter().copied().map(BrokerId).collect(),
        leader: Some(BrokerId(leader)),
        leader_epoch: LeaderEpoch(leader_epoch),
        partition_epoch,
        is_recovering: false,
        min_insync: 2,
        peers: (0..3).map(peer).collect(),
    }
}

struct Broker {
    replica: Replica,
    log: Log,
    wants: Vec<Want>,
}

impl Broker {
    fn new(id: i32) -> Self {
        let replica = Replica::new(BrokerId(id), BrokerEpoch(i64::from(id) + 10));
        Self { replica, log: Log::new(true), wants: Vec::new() }
    }

    fn see(&mut self, view: View) -> Turn {
        let turn = self.replica.metadata_changed(view, &mut self.log, &mut self.wants);
        self.replica.check(&self.log);
        turn
    }

    fn append(&mut self, payload: u8) {
        self.replica.judge_append(Acks::Leader).expect("it leads");
        self.log.append(self.replica.leader_epoch(), None, 1, payload);
    }

    fn sync(&mut self) {
        self.log.sync();
        self.replica.log_moved(&self.log);
        self.replica.check(&self.log);
    }

    fn serve(&mut self, fetch: &ReplicaFetch) -> FetchAnswer<Vec<Batch<u8>>> {
        let served = self.replica.fetched(fetch, &self.log, &mut self.wants);
        self.replica.check(&self.log);
        let records = served.records_from.map(|from| self.log.read(from, 10)).unwrap_or_default();
        served.answer.with(records)
    }

    fn payloads(&self) -> Vec<u8> {
        self.log.batches().iter().map(|batch| batch.payload).collect()
    }

    fn safe(&self) -> i64 {
        self.replica.high_watermark().0
    }

    fn proposal(&mut self) -> Option<Proposal> {
        self.wants.pop().map(|Want::Alter(proposal)| proposal)
    }
}

fn round(follower: &mut Broker, leader: &mut Broker) -> Taken {
    let (id, fetch) = follower.replica.next_fetch(&follower.log).expect("it may fetch");
    let answer = leader.serve(&fetch);
    let taken = follower.replica.answered(id, answer, &mut follower.log);
    follower.replica.check(&follower.log);
    taken
}

fn three(isr: &[i32]) -> [Broker; 3] {
    let mut brokers = [0, 1, 2].map(Broker::new);
    assert_eq!(brokers[0].see(view(0, 0, 0, isr)), Turn::Leads);
    for broker in &mut brokers[1..] {
        assert_eq!(broker.see(view(0, 0, 0, isr)), Turn::Follows);
    }
    brokers
}

#[test]
fn records_are_safe_when_all_in_sync_have_them_on_disk() {
    let [mut leader, mut follower, _] = three(&[0, 1]);
    leader.append(1);
    assert_eq!(round(&mut follower, &mut leader), Taken::Appended);
    assert!(follower.replica.next_fetch(&follower.log).is_none(), "it has nothing to report yet");
    leader.sync();
    assert_eq!(leader.safe(), 0);
    follower.sync();
    assert_eq!(round(&mut follower, &mut leader), Taken::Nothing);
    assert_eq!((leader.safe(), follower.safe()), (1, 1));
    assert_eq!(leader.replica.acknowledged(Acks::All, &leader.log), Offset(1));
}

#[test]
fn too_few_in_sync_stand_still() {
    let [mut leader, mut follower, _] = three(&[0, 1]);
    leader.append(1);
    leader.sync();
    leader.replica.lags(BrokerId(1), &leader.log, &mut leader.wants);
    let proposal = leader.proposal().expect("the follower is to leave");
    assert_eq!(proposal.isr, [(BrokerId(0), BrokerEpoch(10))]);
    leader.replica.lags(BrokerId(1), &leader.log, &mut leader.wants);
    assert_eq!(leader.proposal(), None, "one change at a time");
    assert_eq!(leader.replica.maximal_isr().count(), 2);
    leader.see(view(0, 0, 1, &[0]));
    assert_eq!(leader.safe(), 0);
    assert_eq!(leader.replica.judge_append(Acks::All), Err(ErrorCode::NotEnoughReplicas));
    assert_eq!(leader.replica.judge_append(Acks::Leader), Ok(()));
    // It joins once it has what the leader has, and the record is safe when that is agreed on.
    follower.see(view(0, 0, 1, &[0]));
    round(&mut follower, &mut leader);
    assert_eq!(leader.proposal(), None);
    follower.sync();
    round(&mut follower, &mut leader);
    let proposal = leader.proposal().expect("the follower has caught up");
    assert_eq!(proposal.isr.len(), 2);
    assert_eq!(leader.safe(), 0);
    leader.replica.ask_again(&mut leader.wants);
    assert_eq!(leader.proposal(), Some(proposal.clone()));
    leader.replica.alter_refused(&proposal, ErrorCode::InvalidUpdateVersion, &leader.log);
    assert!(leader.replica.leader().is_some_and(|leader| leader.pending().is_some()));
    leader.see(view(0, 0, 2, &[0, 1]));
    assert_eq!(leader.safe(), 1);
    assert!(leader.replica.leader().is_some_and(|leader| leader.pending().is_none()));
}

#[test]
fn logs_that_differ_are_brought_together() {
    let [mut old, mut new, mut third] = three(&[0, 1, 2]);
    old.append(1);
    old.sync();
    round(&mut new, &mut old);
    new.sync();
    old.append(2);
    old.append(3);
    old.sync();
    // The second leads without having seen the last two.
    for broker in [&mut new, &mut third, &mut old] {
        broker.see(view(1, 1, 1, &[0, 1, 2]));
    }
    new.append(4);
    new.sync();
    assert_eq!(round(&mut old, &mut new), Taken::Truncating { to: Offset(1), loses: false });
    assert_eq!(round(&mut old, &mut new), Taken::Appended);
    round(&mut third, &mut new);
    for broker in [&old, &new, &third] {
        assert_eq!(broker.payloads(), [1, 4]);
    }
    assert_eq!(old.log.epochs(), new.log.epochs());
}

#[test]
fn what_comes_late_is_not_taken() {
    let [mut leader, mut follower, _] = three(&[0, 1, 2]);
    leader.append(1);
    let (id, fetch) = follower.replica.next_fetch(&follower.log).expect("it may fetch");
    let answer = leader.serve(&fetch);
    follower.replica.fetch_given_up();
    let take = |follower: &mut Broker, answer: FetchAnswer<_>| {
        follower.replica.answered(id, answer, &mut follower.log)
    };
    assert_eq!(take(&mut follower, answer.clone()), Taken::Ignored);
    let (next, _) = follower.replica.next_fetch(&follower.log).expect("it tries again");
    assert_ne!(next, id);
    assert_eq!(take(&mut follower, answer.clone()), Taken::Ignored);
    // Nor by a process that has begun since, whatever it has asked.
    let mut again = Broker::new(1);
    again.replica = Replica::recover(BrokerId(1), BrokerEpoch(20), Offset(9), &again.log);
    assert_eq!(again.safe(), 0);
    let mut known = view(0, 0, 1, &[0, 1, 2]);
    assert_eq!(again.see(known.clone()), Turn::Same, "it has not registered yet");
    known.peers.insert(BrokerId(1), Peer { epoch: BrokerEpoch(20), is_active: true });
    assert_eq!(again.see(known.clone()), Turn::Follows);
    again.replica.next_fetch(&again.log).expect("it may fetch");
    assert_eq!(take(&mut again, answer), Taken::Ignored);
    // Nor does the leader take what the dead one asks.
    leader.see(known);
    assert_eq!(leader.serve(&fetch).error, ErrorCode::StaleBrokerEpoch);
    let fenced = ReplicaFetch { leader_epoch: LeaderEpoch(-7), ..fetch };
    assert_eq!(leader.serve(&fenced).error, ErrorCode::FencedLeaderEpoch);
}

#[test]
fn a_follower_that_fell_out_begins_anew() {
    let [mut leader, mut follower, mut third] = three(&[0, 1]);
    for payload in 0..4 {
        leader.append(payload);
        leader.sync();
        while round(&mut follower, &mut leader) == Taken::Appended {
            follower.sync();
        }
    }
    assert_eq!(leader.safe(), 4);
    leader.log.raise_start(Offset(3));
    let taken = round(&mut third, &mut leader);
    assert_eq!(taken, Taken::Truncating { to: Offset(3), loses: false });
    assert_eq!((third.safe(), third.log.start_offset()), (3, Offset(3)));
    assert_eq!(round(&mut third, &mut leader), Taken::Appended);
    assert_eq!(third.payloads(), [3]);
}

#[test]
fn messages_carry_what_replicas_say() {
    let [mut leader, mut follower, _] = three(&[0, 1]);
    leader.append(1);
    let (_, fetch) = follower.replica.next_fetch(&follower.log).expect("it may fetch");
    let (replica, partition) = fetch.to_request(5, 1 << 20);
    assert_eq!(ReplicaFetch::from_request(&replica, &partition), Some(fetch));
    assert_eq!(ReplicaFetch::from_request(&Default::default(), &partition), None);
    let served = leader.replica.fetched(&fetch, &leader.log, &mut leader.wants);
    let answers = [
        served.answer,
        FetchAnswer { diverging: Some((LeaderEpoch(3), Offset(7))), ..served.answer },
        FetchAnswer::refusal(ErrorCode::NotLeaderOrFollower),
    ];
    for answer in answers {
        assert_eq!(FetchAnswer::from_response(&answer.to_response(5)), answer);
    }
    assert_eq!(vec![1], leader.payloads());
}
