//! Which connection works with which partitions.

use std::collections::BTreeMap;

use crate::client::Address;

/// A partition and where its leader is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Led {
    pub(super) partition: i32,
    pub(super) leader: Address,
}

/// A connection and the partitions that each of its workers works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) address: Address,
    pub(super) workers: Vec<Vec<i32>>,
}

/// Spreads `connections` over the leaders, one for each at least, with `workers` on each, and the partitions over the
/// workers. Where there are fewer partitions than workers, several work with the same one, unless `exclusive`: then there
/// are fewer workers.
pub(super) fn spread(
    partitions: &[Led],
    connections: usize,
    workers: usize,
    exclusive: bool,
) -> Vec<Lane> {
    let mut leaders: BTreeMap<&Address, Vec<i32>> = BTreeMap::new();
    for led in partitions {
        leaders.entry(&led.leader).or_default().push(led.partition);
    }
    let count = leaders.len();
    let mut lanes = Vec::new();
    for (place, (address, partitions)) in leaders.into_iter().enumerate() {
        let connections = (connections + count - 1 - place) / count.max(1);
        let all = connections.max(1) * workers;
        let all = if exclusive { all.min(partitions.len()) } else { all };
        let of_worker = |worker: usize| {
            if all <= partitions.len() {
                partitions.iter().copied().skip(worker).step_by(all).collect()
            } else {
                vec![partitions[worker % partitions.len()]]
            }
        };
        let connections = connections.clamp(1, all);
        lanes.extend((0..connections).map(|connection| Lane {
            address: address.clone(),
            workers: (connection..all).step_by(connections).map(of_worker).collect(),
        }));
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread_over(leaders: &[u16], connections: usize, workers: usize, exclusive: bool) -> String {
        let led = leaders.iter().zip(0..).map(|(&port, partition)| Led {
            partition,
            leader: Address { host: "h".into(), port },
        });
        let lanes = spread(&led.collect::<Vec<_>>(), connections, workers, exclusive);
        let lane = |lane: &Lane| format!("{}: {:?}", lane.address.port, lane.workers);
        lanes.iter().map(lane).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn partitions_are_shared_out_and_shared_where_they_are_few() {
        assert_eq!(spread_over(&[1, 1, 1], 2, 1, false), "1: [[0, 2]]; 1: [[1]]");
        assert_eq!(spread_over(&[1], 2, 1, false), "1: [[0]]; 1: [[0]]");
        assert_eq!(spread_over(&[1], 2, 1, true), "1: [[0]]");
        assert_eq!(spread_over(&[1, 1, 1, 1], 2, 2, false), "1: [[0], [2]]; 1: [[1], [3]]");
        assert_eq!(spread_over(&[1, 1], 1, 3, false), "1: [[0], [1], [0]]");
    }

    #[test]
    fn every_leader_has_a_connection() {
        assert_eq!(spread_over(&[1, 2, 1], 1, 1, false), "1: [[0, 2]]; 2: [[1]]");
        assert_eq!(spread_over(&[1, 2, 1], 3, 1, false), "1: [[0]]; 1: [[2]]; 2: [[1]]");
        assert_eq!(spread_over(&[], 3, 1, false), "");
    }
}
