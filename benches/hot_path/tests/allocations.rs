//! How often a request asks for memory: regressions of the hot path that no clock would show.
//!
//! A limit is what was counted when it was written. Who needs more says why in the commit that raises it.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use ottla_hot_path::{Driver, Prepared, commit, fetch, heartbeat, produce};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps what the trait asks of it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps what the trait asks of it.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps what the trait asks of it.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The least that a request was seen to need, over several that are alike.
fn allocations(driver: &mut Driver, request: &Prepared) -> usize {
    let counts = (0..8).map(|_| {
        let before = COUNT.load(Ordering::Relaxed);
        driver.run(request);
        let after = COUNT.load(Ordering::Relaxed);
        driver.answered();
        after - before
    });
    counts.min().expect("there were some")
}

/// One test, for the counter is one for the process.
#[test]
fn requests_allocate_no_more_than_they_did() {
    let mut driver = Driver::with_batches(40);
    let small = allocations(&mut driver, &produce(1));
    let large = allocations(&mut driver, &produce(64));
    let read = allocations(&mut driver, &fetch(0));
    let mut member = Driver::new();
    let joined = member.join();
    let beat = allocations(&mut member, &heartbeat(joined.clone()));
    let committed = allocations(&mut member, &commit(joined));
    println!("produce {small}, {large}; fetch {read}; heartbeat {beat}; commit {committed}");
    assert_eq!(small, large, "records cost no allocation of their own");
    assert!(small <= 20, "a Produce takes {small}");
    assert!(read <= 15, "a Fetch takes {read}");
    assert!(beat <= 3, "a Heartbeat takes {beat}");
    assert!(committed <= 39, "an OffsetCommit takes {committed}");
}
