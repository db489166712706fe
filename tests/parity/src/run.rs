//! Runs cases against a broker, several at once.

use std::{
    any::Any,
    net::SocketAddr,
    panic::{self, AssertUnwindSafe},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ottla_core::{
    types::ErrorCode,
    wire::messages::{
        find_coordinator::FindCoordinatorRequest, init_producer_id::InitProducerIdRequest,
        offset_fetch::OffsetFetchRequest,
    },
};

use crate::{
    case::Case,
    cases::{Definition, Pace},
    client::{Ask, Client, Failure},
    snapshot::Answers,
};

/// Marks the line of a transcript that says why a case did not come to its end.
pub(crate) const FAILURE: &str = "! ";

/// How long a broker may take until it coordinates groups and gives out producer ids.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(20);
const WARM_UP_INTERVAL: Duration = Duration::from_millis(50);

/// A version that all of the requests have.
const WARM_UP_VERSION: i16 = 3;
const WARM_UP_GROUPS: i32 = 24;

/// Kinds of coordinators.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// Runs the cases, as many at once as there are `threads`, and returns their transcripts.
pub(crate) fn run(
    cases: &[&Definition],
    address: SocketAddr,
    threads: usize,
) -> Result<Answers, Failure> {
    warm_up(address)?;
    let hook = panic::take_hook();
    // A panic is kept in the transcript of its case.
    panic::set_hook(Box::new(|_| {}));
    let (alone, mut together): (Vec<&Definition>, Vec<&Definition>) =
        cases.iter().partition(|case| case.pace == Pace::Alone);
    together.sort_by_key(|case| case.pace != Pace::Slow);
    let answers = Mutex::new(Answers::new());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = together.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let transcript = run_case(case, address);
                    answers.lock().expect("no thread panics").insert(case.name.clone(), transcript);
                }
            });
        }
    });
    let mut answers = answers.into_inner().expect("no thread panicked");
    for case in alone {
        answers.insert(case.name.clone(), run_case(case, address));
    }
    panic::set_hook(hook);
    Ok(answers)
}

fn run_case(definition: &Definition, address: SocketAddr) -> String {
    let mut case = Case::new(&definition.name, address);
    let result = panic::catch_unwind(AssertUnwindSafe(|| definition.run(&mut case)));
    let mut transcript = case.into_transcript();
    let failure = match result {
        Ok(Ok(())) => return transcript,
        Ok(Err(failure)) => failure.to_string(),
        Err(panic) => {
            format!("the answer is not one that the case can go on with: {}", why(&*panic))
        }
    };
    transcript.push_str(&format!("{FAILURE}{}\n", failure.replace('\n', " ")));
    transcript
}

fn why(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown")
}

/// Waits until the broker has its coordinators, which a new broker makes when it is first asked for them.
fn warm_up(address: SocketAddr) -> Result<(), Failure> {
    Client::connect(address)?;
    let deadline = Instant::now() + WARM_UP_TIMEOUT;
    for key_type in [GROUP, TRANSACTION] {
        let key = "parity.warm-up".to_owned();
        let request = FindCoordinatorRequest { key, key_type, ..Default::default() };
        until_ready(address, deadline, &request, |answer| answer.error_code);
    }
    // Each of the coordinator's partitions has to be ready, and it is the group's name that chooses one.
    for number in 0..WARM_UP_GROUPS {
        let group_id = format!("parity.warm-up.{number}");
        let request = OffsetFetchRequest { group_id, topics: None, ..Default::default() };
        until_ready(address, deadline, &request, |answer| answer.error_code);
    }
    let request = InitProducerIdRequest::default();
    until_ready(address, deadline, &request, |answer| answer.error_code);
    Ok(())
}

/// Asks until the broker does not say that it is not ready. That it does not know an API is for the cases to find.
fn until_ready<R: Ask>(
    address: SocketAddr,
    deadline: Instant,
    request: &R,
    error: impl Fn(&R::Response) -> i16,
) {
    while ask(address, request).is_some_and(|answer| is_not_yet(error(&answer)))
        && Instant::now() < deadline
    {
        thread::sleep(WARM_UP_INTERVAL);
    }
}

fn ask<R: Ask>(address: SocketAddr, request: &R) -> Option<R::Response> {
    let mut client = Client::connect(address).ok()?;
    let sent = client.send(WARM_UP_VERSION, request).ok()?;
    client.receive(&sent).ok()
}

fn is_not_yet(error: i16) -> bool {
    [
        ErrorCode::CoordinatorNotAvailable,
        ErrorCode::CoordinatorLoadInProgress,
        ErrorCode::NotCoordinator,
    ]
    .iter()
    .any(|not_yet| not_yet.code() == error)
}
