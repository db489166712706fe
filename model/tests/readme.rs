//! The tables of model/README.md are what the registry says.
//!
//! `UPDATE_README=1 cargo test -p ottla-model --test readme` writes them anew.

use std::{collections::BTreeMap, env, fmt::Write as _, fs};

use ottla_model::{
    harness::{Size, counted},
    registry,
};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// What each property promises.
const PROMISES: &[(&str, &str)] = &[
    ("NoAckedRecordLostGlobally", "What was acknowledged is on some disk"),
    ("LeaderCompleteness", "Whoever leads has what was acknowledged and what was shown"),
    ("AckedRecordsAreServed", "Whoever leads, and knows it, has what was acknowledged"),
    ("LeaderCandidateCompleteness", "Whoever may be elected has what was shown"),
    ("ConsistentRead", "What was shown at an offset stays what is there"),
    ("CommittedPrefixBelowHw", "What a replica takes for safe is what was shown"),
    ("SafeRecordsStay", "A follower cuts off nothing that is safe"),
    ("LogMatching", "Logs that agree on a record agree on all before it"),
    ("EpochCacheMatchesLog", "The epochs that a log knows are those of its records"),
    ("FollowersAppend", "What a leader sends fits the follower's log"),
    ("HighWatermarkWithinLog", "The high watermark lies in the log"),
    ("SafeIsSaid", "What is safe is taken for safe: nobody waits for nothing"),
    ("SingleLeaderPerEpoch", "One leader in an epoch"),
    ("ReplicationQuorumSuperset", "A leader waits for all that may be elected"),
    ("MetadataLogMatching", "What a broker knows of the metadata was agreed on"),
    ("InSyncAreActive", "Whoever is in sync serves"),
    ("JoinsCaughtUp", "Whoever is to be in sync has caught up"),
    ("CancelKeepsLeader", "To cancel a reassignment leaves a leader"),
    ("ProducerSequence", "A producer's records are in order, without a gap, once"),
    (
        "QuiescentMeansAllReplicated",
        "When all is quiet, all is acknowledged, replicated and known to be safe",
    ),
    (
        "AckedIsProcessed",
        "From end to end: when all is quiet, what was acknowledged is processed and committed",
    ),
    ("RecoversFairly", "From every state a fair schedule leads to one where all is well"),
    ("CommittedImpliesProcessed", "No offset is committed past a record that nobody has processed"),
    ("CommitNeverRegresses", "A committed offset does not go back"),
    ("AnsweredCommitStays", "A commit that was answered stays"),
    ("OneOwnerPerGeneration", "A partition has one owner in a generation"),
    ("QuiescentMeansAllProcessed", "When all is quiet, all is processed and committed"),
];

/// What no rule of the broker's keeps, and so no mutant breaks: how it is shown that it can fail.
const OTHERWISE: &[(&str, &str)] = &[(
    "CommittedImpliesProcessed",
    "none: consumers that commit before they process (`src/delivery/tests.rs`)",
)];

fn configurations() -> String {
    let mut text = String::from("| configuration | bounds | states |\n|---|---|---:|\n");
    for known in registry::all() {
        let states = match (known.unique, known.size) {
            (Some(unique), _) => counted(unique),
            (None, Size::Large) => "not pinned: for the night".into(),
            (None, Size::Endless) => "for walks".into(),
            (None, Size::Small) => panic!("{} is not pinned", known.name),
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "| `{}` | {} | {states} |", known.name, known.bounds);
    }
    text
}

fn promises() -> String {
    let mut mutants: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut models: BTreeMap<&str, &str> = BTreeMap::new();
    for known in registry::all() {
        let model = known.name.split('-').next().expect("a name is not empty");
        for property in known.subject.properties().0 {
            models.entry(property).or_insert(model);
        }
        for caught in known.mutants {
            mutants.entry(caught.property).or_default().push(caught.mutant.id());
        }
    }
    let mut text = String::from(
        "| promise | property | model | mutants that it notices |\n|---|---|---|---|\n",
    );
    for (property, promise) in PROMISES {
        let model = models.remove(property).unwrap_or_else(|| panic!("nobody checks {property}"));
        let noticed = mutants.get(property).map(|ids| ids.join(", "));
        let otherwise = OTHERWISE.iter().find(|(name, _)| name == property);
        let noticed = noticed.or_else(|| otherwise.map(|(_, how)| (*how).to_owned()));
        let noticed = noticed.unwrap_or_else(|| panic!("nothing shows that {property} can fail"));
        let _ = writeln!(text, "| {promise} | `{property}` | {model} | {noticed} |");
    }
    assert!(models.is_empty(), "nobody says what these promise: {models:?}");
    text
}

fn mutants() -> String {
    let mut text =
        String::from("| mutant | what it does | configuration | violates |\n|---|---|---|---|\n");
    for known in registry::all() {
        for caught in known.mutants {
            let (id, what) = (caught.mutant.id(), caught.mutant.description());
            let _ = writeln!(text, "| {id} | {what} | `{}` | `{}` |", known.name, caught.property);
        }
    }
    text
}

/// Replaces what lies between the markers of a table.
fn put(readme: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = readme.find(&begin).unwrap_or_else(|| panic!("no table {name}")) + begin.len();
    let to = readme.find(&end).unwrap_or_else(|| panic!("table {name} has no end"));
    format!("{}{table}{}", &readme[..from], &readme[to..])
}

#[test]
fn the_tables_are_what_the_registry_says() {
    let readme = fs::read_to_string(README).expect("it is there");
    let mut wanted = put(&readme, "promises", &promises());
    wanted = put(&wanted, "configurations", &configurations());
    wanted = put(&wanted, "mutants", &mutants());
    if env::var_os("UPDATE_README").is_some() {
        fs::write(README, &wanted).expect("it can be written");
    }
    assert!(readme == wanted || env::var_os("UPDATE_README").is_some(), "UPDATE_README=1 mends it");
}
