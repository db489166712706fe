//! `ottla prove`: whether settings keep the promise that no acknowledged record is lost, by visiting every state.

mod args;

use std::{
    fs,
    io::{self, IsTerminal},
    process::ExitCode,
};

use ottla_core::wire::messages::describe_configs::DescribeConfigsResourceResult;
use ottla_model::advisor::{self, Answer, Flush, Tale, Verdict};
use serde_json::{Value, json};

pub(super) use args::ProveArgs;

use super::{CliError, Global, runtime};
use crate::client::{Client, ClientConfig, admin::describe_topic_configs};

/// How it ends if nothing can be said: the bounds were not exhausted, or the question could not be asked.
const NOT_DECIDED: u8 = 2;

/// What a broker says of a topic, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
struct OfTopic {
    replication_factor: Option<u8>,
    min_insync: Option<u8>,
    flush: Option<Flush>,
    unclean: Option<bool>,
}

pub(super) fn run(args: &ProveArgs, global: Global) -> ExitCode {
    match prove(args, global) {
        Ok(Verdict::Holds) => ExitCode::SUCCESS,
        Ok(Verdict::CanLose) => ExitCode::FAILURE,
        Ok(Verdict::NotExhausted) => ExitCode::from(NOT_DECIDED),
        Err(error) => {
            eprintln!("ottla: {error}");
            ExitCode::from(NOT_DECIDED)
        }
    }
}

fn prove(args: &ProveArgs, global: Global) -> Result<Verdict, CliError> {
    let as_json = global.json;
    let of_topic = match &args.topic {
        None => OfTopic::default(),
        Some(topic) => {
            let client = Client::new(global.bootstrap, ClientConfig::default());
            runtime()?.block_on(ask_broker(&client, topic))?
        }
    };
    let question = args.question(&of_topic)?;
    let is_terminal = io::stderr().is_terminal();
    let answer = advisor::ask(&question, &mut |what, progress| {
        if is_terminal {
            let advisor::Progress { unique, depth, .. } = progress;
            eprint!("\r\x1b[K{what}: {unique} states, {depth} steps deep …");
        }
    });
    if is_terminal {
        eprint!("\r\x1b[K");
    }
    if let Some(path) = &args.out {
        let written = fs::write(path, advisor::page(&answer));
        written.map_err(|error| CliError::io(path.display().to_string(), &error))?;
    }
    super::print(as_json, || json(&answer), || advisor::text(&answer))?;
    Ok(answer.verdict)
}

/// Asks a running broker how a topic is set.
async fn ask_broker(client: &Client, topic: &str) -> Result<OfTopic, CliError> {
    let metadata = client.topic(topic).await?;
    let configs = describe_topic_configs(client, topic).await?;
    let replicas = metadata.partitions.iter().map(|partition| partition.replicas.len()).min();
    let replication_factor = replicas.and_then(|count| u8::try_from(count).ok());
    Ok(OfTopic { replication_factor, ..of_configs(&configs) })
}

fn of_configs(configs: &[DescribeConfigsResourceResult]) -> OfTopic {
    let value = |name: &str| {
        let config = configs.iter().find(|config| config.name == name);
        config.and_then(|config| config.value.as_deref())
    };
    let flush = value("flush.messages").map(|count| match count {
        "1" => Flush::Fsync,
        _ => Flush::System,
    });
    OfTopic {
        replication_factor: None,
        min_insync: value("min.insync.replicas").and_then(|count| count.parse().ok()),
        flush,
        unclean: value("unclean.leader.election.enable").map(|value| value == "true"),
    }
}

fn json(answer: &Answer) -> Value {
    let verdict = match answer.verdict {
        Verdict::Holds => "holds",
        Verdict::CanLose => "can-lose",
        Verdict::NotExhausted => "not-exhausted",
    };
    let tale = |tale: &Tale| {
        let lines = tale.lines.iter().map(|line| advisor::sentence(&tale.lanes, line));
        json!({ "story": lines.collect::<Vec<_>>(), "ending": tale.ending })
    };
    let parts = answer.parts.iter().map(|part| {
        json!({
            "name": part.name,
            "bounds": part.bounds,
            "states": part.states,
            "exhausted": part.exhausted,
        })
    });
    json!({
        "verdict": verdict,
        "settings": answer.question.to_string(),
        "faults": answer.question.faults.to_string(),
        "parts": parts.collect::<Vec<_>>(),
        "losses": answer.losses.iter().map(tale).collect::<Vec<_>>(),
        "repeat": answer.repeat.as_ref().map(tale),
        "mend": answer.mend.as_ref().map(|mend| json!({ "changes": mend.changes, "states": mend.states })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, value: &str) -> DescribeConfigsResourceResult {
        DescribeConfigsResourceResult {
            name: name.into(),
            value: Some(value.into()),
            ..Default::default()
        }
    }

    #[test]
    fn a_topic_says_how_it_is_set() {
        let configs = [
            config("min.insync.replicas", "2"),
            config("flush.messages", "9223372036854775807"),
            config("unclean.leader.election.enable", "true"),
        ];
        let expected = OfTopic {
            replication_factor: None,
            min_insync: Some(2),
            flush: Some(Flush::System),
            unclean: Some(true),
        };
        assert_eq!(of_configs(&configs), expected);
        assert_eq!(of_configs(&[config("flush.messages", "1")]).flush, Some(Flush::Fsync));
        assert_eq!(of_configs(&[]), OfTopic::default());
    }

    #[test]
    fn an_answer_as_json() {
        let faults = advisor::Faults { crashes: 1, power_losses: 0, leader_changes: 0, lags: 0 };
        let question = advisor::Question {
            acks: advisor::Acks::Leader,
            replication_factor: 2,
            min_insync: 1,
            faults,
            ..advisor::Question::default()
        };
        let answer = json(&advisor::ask(&question, &mut |_, _| {}));
        assert_eq!(answer["verdict"], "can-lose");
        assert_eq!(answer["mend"]["changes"][0], "acks=all");
        assert!(answer["losses"][0]["story"][0].as_str().is_some_and(|line| line.ends_with('.')));
    }
}
