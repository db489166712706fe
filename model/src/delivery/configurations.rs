//! The bounds within which delivery is checked from end to end, and the mutants that must be noticed there.

use ottla_core::mutants::Mutant;

use super::Delivery;
use crate::{
    group::{Commits, Group},
    harness::{Caught, Configuration, Size},
    replication::{
        Replication,
        settings::{Bounds, Budget, Grain, Settings},
    },
};

const DELIVERED: &str = "AckedIsProcessed";

/// A partition of two replicas with one record.
fn partition(settings: Settings, budget: Budget) -> Replication {
    let bounds = Bounds {
        producers: &[1],
        budget: Budget { produces: 1, ..budget },
        leader_epoch_max: 2,
        assigned: 2,
        grain: Grain { heals: true, ..Grain::COARSE },
    };
    Replication { settings: Settings { replicas: 2, ..settings }, bounds }
}

/// One consumer of it, which may crash.
fn consumer(commits: Commits, crashes: u8, moves: u8) -> Group {
    let mut group = Group::calm(&[1]);
    group.clients = 1;
    group.commits = commits;
    group.budgets.crashes = crashes;
    group.budgets.moves = moves;
    group.prepared()
}

/// A replica that lags, a power loss, and a consumer that crashes.
pub(super) fn power_loss(commits: Commits) -> Delivery {
    let budget = Budget { power_losses: 1, lags: 1, ..Budget::default() };
    Delivery { replication: partition(Settings::RELAXED, budget), group: consumer(commits, 1, 0) }
}

/// Leaderships that move, a broker that is killed, and a coordinator that moves.
fn moves() -> Delivery {
    let budget = Budget { moves: 1, kills: 1, ..Budget::default() };
    Delivery {
        replication: partition(Settings { min_insync: 1, ..Settings::SAFE }, budget),
        group: consumer(Commits::AfterProcessing, 0, 1),
    }
}

/// All configurations of this model.
pub fn all() -> Vec<Configuration> {
    vec![
        Configuration {
            name: "delivery-power-loss",
            bounds: "1 record from producer to consumer; 2 replicas, both needed, 1 that lags, 1 power loss that takes any \
                     suffix, flush by the system; 1 consumer, which crashes once; then nothing goes wrong any more",
            size: Size::Small,
            unique: Some(235_764),
            unreachable: &[],
            mutants: const { &[Caught { mutant: Mutant::AdvanceBelowMinInsync, property: DELIVERED }] },
            subject: Box::new(power_loss(Commits::AfterProcessing)),
        },
        Configuration {
            name: "delivery-moves",
            bounds: "1 record from producer to consumer; 2 replicas, 1 moved leadership, 1 process killed; 1 consumer, 1 move \
                     of the coordinator; then nothing goes wrong any more",
            size: Size::Small,
            unique: Some(23_232),
            unreachable: &["a crash that takes records"],
            mutants: &[],
            subject: Box::new(moves()),
        },
    ]
}
