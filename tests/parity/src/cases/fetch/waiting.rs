//! Fetches that wait for records.

use std::time::{Duration, Instant};

use ottla_core::wire::messages::fetch::FetchRequest;

use super::{Cases, batch_of, three_batches};
use crate::{
    batch::batch,
    case::{A, B, Case, Done, Pending},
    client::Failure,
    requests::{fetch, fetch_from, produce},
};

pub(super) fn cases(cases: &mut Cases) {
    times_out(cases);
    does_not_wait(cases);
    woken(cases);
}

const WAIT: Duration = Duration::from_millis(300);
const WAIT_MS: i32 = 300;

/// Keeps the answer, and whether it came before the time was over.
fn receive_timed(c: &mut Case, pending: Pending<FetchRequest>, since: Instant) -> Done {
    c.receive(pending)?;
    c.note(if since.elapsed() < WAIT { "at once" } else { "after the wait" });
    Ok(())
}

fn ask_timed(c: &mut Case, version: i16, request: FetchRequest) -> Done {
    let since = Instant::now();
    let pending = c.send(A, version, request)?;
    receive_timed(c, pending, since)
}

fn times_out(cases: &mut Cases) {
    for version in [4, 12, 13] {
        cases.each(version..=version, "waits-in-vain", |c, v| {
            let topic = three_batches(c, "t")?;
            let request = FetchRequest { max_wait_ms: WAIT_MS, ..fetch(v, &topic, 5) };
            ask_timed(c, v, request)
        });
        cases.each(version..=version, "waits-for-more-than-there-is", |c, v| {
            let topic = three_batches(c, "t")?;
            let request =
                FetchRequest { max_wait_ms: WAIT_MS, min_bytes: 10_000, ..fetch(v, &topic, 2) };
            ask_timed(c, v, request)
        });
    }
}

fn does_not_wait(cases: &mut Cases) {
    for (what, min_bytes) in [("min-bytes-0", 0), ("min-bytes-negative", -1)] {
        cases.case(what, move |c| {
            let topic = three_batches(c, "t")?;
            let request = FetchRequest { max_wait_ms: WAIT_MS, min_bytes, ..fetch(12, &topic, 5) };
            ask_timed(c, 12, request)
        });
    }
    cases.case("max-wait-negative", |c| {
        let topic = three_batches(c, "t")?;
        ask_timed(c, 12, FetchRequest { max_wait_ms: -1, ..fetch(12, &topic, 5) })
    });
    cases.case("error-beside-an-empty-partition", |c| {
        let topic = c.topic("t", 2)?;
        let request = fetch_from(12, &topic, &[(0, 0), (1, 9)]);
        ask_timed(c, 12, FetchRequest { max_wait_ms: WAIT_MS, ..request })
    });
    cases.case("unknown-partition-beside-an-empty-one", |c| {
        let topic = c.topic("t", 1)?;
        let request = fetch_from(12, &topic, &[(0, 0), (1, 0)]);
        ask_timed(c, 12, FetchRequest { max_wait_ms: WAIT_MS, ..request })
    });
    cases.case("no-topics-and-a-wait", |c| {
        ask_timed(c, 12, FetchRequest { max_wait_ms: WAIT_MS, min_bytes: 1, ..Default::default() })
    });
}

/// Long enough that only records can be what ends the wait.
const LONG_WAIT_MS: i32 = 15_000;

fn wake(c: &mut Case, version: i16, min_bytes: i32, appends: usize) -> Result<(), Failure> {
    let topic = c.topic("t", 1)?;
    let request =
        FetchRequest { max_wait_ms: LONG_WAIT_MS, min_bytes, ..fetch(version, &topic, 0) };
    let pending = c.send(A, version, request)?;
    for _ in 0..appends {
        std::thread::sleep(Duration::from_millis(50));
        c.ask_on(B, 12, produce(12, &topic, batch_of(100)))?;
    }
    c.receive(pending)?;
    Ok(())
}

fn woken(cases: &mut Cases) {
    for version in [4, 12, 18] {
        cases.each(version..=version, "woken-by-produce", |c, v| wake(c, v, 1, 1));
    }
    cases.case("woken-by-the-second-produce", |c| wake(c, 12, 200, 2));
    cases.case("woken-on-the-other-partition", |c| {
        let topic = c.topic("t", 2)?;
        let request = fetch_from(12, &topic, &[(0, 0), (1, 0)]);
        let pending = c.send(A, 12, FetchRequest { max_wait_ms: LONG_WAIT_MS, ..request })?;
        std::thread::sleep(Duration::from_millis(50));
        c.ask_on(B, 12, crate::requests::produce_to(12, &topic, &[(1, Some(batch(&["a"])))]))?;
        c.receive(pending)?;
        Ok(())
    });
}
