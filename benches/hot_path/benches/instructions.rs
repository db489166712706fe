//! How many instructions the core needs for a request, as callgrind counts them: the same number on a busy machine as on an
//! idle one.
//!
//! A limit is what was counted when it was written and a twentieth more, for other compilers. Who needs more says why in the
//! commit that raises it; who needs less lowers it.
#![allow(missing_docs, unused_qualifications, reason = "the macros make what nobody else sees")]

use std::hint::black_box;

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use ottla_hot_path::{Driver, Prepared, commit, fetch, heartbeat, produce};

type Case = (Driver, Prepared);

fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, instructions)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

fn append(records: usize) -> Case {
    (Driver::with_batches(4), produce(records))
}

fn read(offset: i64) -> Case {
    (Driver::with_batches(40), fetch(offset))
}

fn member(request: fn((i32, String)) -> Prepared) -> Case {
    let mut driver = Driver::new();
    let joined = driver.join();
    (driver, request(joined))
}

#[library_benchmark]
#[bench::append_1kib(args = (1), setup = append, config = at_most(18_300))]
#[bench::append_64kib(args = (64), setup = append, config = at_most(134_400))]
#[bench::fetch_1mib(args = (0), setup = read, config = at_most(14_700))]
#[bench::heartbeat(args = (heartbeat), setup = member, config = at_most(6_400))]
#[bench::offset_commit(args = (commit), setup = member, config = at_most(28_600))]
fn request((mut driver, request): Case) -> Driver {
    driver.run(black_box(&request));
    driver
}

library_benchmark_group!(name = requests, benchmarks = request);

main!(library_benchmark_groups = requests);
