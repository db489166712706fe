//! The bounds within which the group is checked, and the mutants that must be noticed there.

use ottla_core::mutants::Mutant;

use super::{Budgets, Group, Protocol};
use crate::harness::{Caught, Configuration, Size};

const fn caught(mutant: Mutant, property: &'static str) -> Caught {
    Caught { mutant, property }
}

const REGRESSES: &str = "CommitNeverRegresses";
const ONE_OWNER: &str = "OneOwnerPerGeneration";
const ALL_PROCESSED: &str = "QuiescentMeansAllProcessed";

const NOTHING: Budgets =
    Budgets { crashes: 0, deaths: 0, expiries: 0, moves: 0, disconnects: 0, retentions: 0 };

/// The group's configurations.
pub fn all() -> Vec<Configuration> {
    let mut all =
        vec![crash(), death(), slow(), moves(), reconnect(), one_instance(), cooperative()];
    all.extend(night());
    all.push(large());
    all
}

/// Two things that go wrong.
fn night() -> [Configuration; 3] {
    let night = |name, bounds, unique, budgets| Configuration {
        name,
        bounds,
        size: Size::Large,
        unique: Some(unique),
        unreachable: &[],
        mutants: &[],
        subject: Box::new(Group { budgets, ..Group::calm(&[2]) }),
    };
    [
        night(
            "group-night-crash-and-slow",
            "2 members, 1 partition of 2 records; 1 crash, 1 timer that hits the living",
            2_437_495,
            Budgets { crashes: 1, expiries: 1, ..NOTHING },
        ),
        night(
            "group-night-crash-and-move",
            "2 members, 1 partition of 2 records; 1 crash, 1 move of the coordinator",
            546_119,
            Budgets { crashes: 1, moves: 1, ..NOTHING },
        ),
        night(
            "group-night-slow-and-move",
            "2 members, 1 partition of 2 records; 1 timer that hits the living, 1 move of the coordinator",
            464_174,
            Budgets { expiries: 1, moves: 1, ..NOTHING },
        ),
    ]
}

fn crash() -> Configuration {
    Configuration {
        name: "group-crash",
        bounds: "2 members, 1 partition of 2 records; 1 crash of a member, 1 search for old offsets",
        size: Size::Small,
        unique: Some(87_032),
        unreachable: &[],
        mutants: const {
            &[
                caught(Mutant::LiveOffsetsExpire, REGRESSES),
                caught(Mutant::AssignedFromLastTime, ALL_PROCESSED),
                caught(Mutant::GenerationStays, ALL_PROCESSED),
            ]
        },
        subject: Box::new(Group {
            budgets: Budgets { crashes: 1, retentions: 1, ..NOTHING },
            ..Group::calm(&[2])
        }),
    }
}

fn death() -> Configuration {
    Configuration {
        name: "group-death",
        bounds: "2 members, 1 partition of 2 records; 1 member that crashes and is not started again",
        size: Size::Small,
        unique: Some(4_643),
        unreachable: &[],
        mutants: const { &[caught(Mutant::DeadMemberStays, ALL_PROCESSED)] },
        subject: Box::new(Group { budgets: Budgets { deaths: 1, ..NOTHING }, ..Group::calm(&[2]) }),
    }
}

fn slow() -> Configuration {
    Configuration {
        name: "group-slow",
        bounds: "2 members, 1 partition of 2 records; 1 timer that hits the living",
        size: Size::Small,
        unique: Some(34_886),
        unreachable: &[],
        mutants: &[],
        subject: Box::new(Group {
            budgets: Budgets { expiries: 1, ..NOTHING },
            ..Group::calm(&[2])
        }),
    }
}

fn moves() -> Configuration {
    Configuration {
        name: "group-move",
        bounds: "2 members, 1 partition of 2 records; 1 move of the coordinator, whose log is not compacted",
        size: Size::Small,
        unique: Some(11_702),
        unreachable: &[],
        mutants: const {
            &[
                caught(Mutant::OffsetsNotLoaded, REGRESSES),
                caught(Mutant::ServesWhileLoading, ONE_OWNER),
                caught(Mutant::CommitAnsweredEarly, "AnsweredCommitStays"),
                caught(Mutant::AssignedBeforeDurable, ONE_OWNER),
                caught(Mutant::OldestCommitWins, REGRESSES),
            ]
        },
        subject: Box::new(Group {
            budgets: Budgets { moves: 1, ..NOTHING },
            keeps_all: true,
            ..Group::calm(&[2])
        }),
    }
}

fn reconnect() -> Configuration {
    Configuration {
        name: "group-reconnect",
        bounds: "2 members, 1 partition of 2 records; 1 connection that breaks, what it carried comes late",
        size: Size::Small,
        unique: Some(7_475),
        unreachable: &[],
        mutants: const { &[caught(Mutant::GenerationNotChecked, REGRESSES)] },
        subject: Box::new(Group {
            budgets: Budgets { disconnects: 1, ..NOTHING },
            ..Group::calm(&[2])
        }),
    }
}

fn one_instance() -> Configuration {
    Configuration {
        name: "group-static",
        bounds: "2 processes of one group.instance.id, 1 partition of 2 records; 1 crash",
        size: Size::Small,
        unique: Some(38_828),
        unreachable: &[],
        mutants: const { &[caught(Mutant::StaticMemberNotFenced, REGRESSES)] },
        subject: Box::new(
            Group {
                one_instance: true,
                budgets: Budgets { crashes: 1, ..NOTHING },
                ..Group::calm(&[2])
            }
            .prepared(),
        ),
    }
}

fn cooperative() -> Configuration {
    Configuration {
        name: "group-cooperative",
        bounds: "2 members, 2 partitions of 1 record, cooperative; 1 crash of a member",
        size: Size::Small,
        unique: Some(504_099),
        unreachable: &[],
        mutants: &[],
        subject: Box::new(Group {
            protocol: Protocol::Cooperative,
            budgets: Budgets { crashes: 1, ..NOTHING },
            ..Group::calm(&[1, 1])
        }),
    }
}

fn large() -> Configuration {
    Configuration {
        name: "group-large",
        bounds: "2 members, 1 partition of 2 records; 1 crash, 1 timer that hits the living, 1 move of the coordinator",
        size: Size::Large,
        unique: None,
        unreachable: &[],
        mutants: &[],
        subject: Box::new(Group {
            budgets: Budgets { crashes: 1, expiries: 1, moves: 1, ..NOTHING },
            ..Group::calm(&[2])
        }),
    }
}
