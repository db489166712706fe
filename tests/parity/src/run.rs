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
    },
};

use crate::{
    case::Case,
    cases::{Definition, Pace},
    client::{Client, Failure},
    snapshot::Answers,
};

/// Marks the line of a transcript that says why a case did not come to its end.
pub(crate) const FAILURE: &str = "! ";

/// How long a broker may take until it coordinates groups and gives out producer ids.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(20);

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
    let deadline = Instant::now() + WARM_UP_TIMEOUT;
    let mut client = Client::connect(address)?;
    for key_type in [0, 1] {
        let key = "parity.warm-up".to_owned();
        let request = FindCoordinatorRequest { key, key_type, ..Default::default() };
        loop {
            let sent = client.send(3, &request)?;
            let error = client.receive(&sent)?.error_code;
            if !is_not_yet(error) || Instant::now() > deadline {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
    loop {
        let sent = client.send(3, &InitProducerIdRequest::default())?;
        if !is_not_yet(client.receive(&sent)?.error_code) || Instant::now() > deadline {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn is_not_yet(error: i16) -> bool {
    error == ErrorCode::CoordinatorNotAvailable.code()
        || error == ErrorCode::CoordinatorLoadInProgress.code()
}
