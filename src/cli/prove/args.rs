//! The arguments of `ottla prove`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ottla_model::{
    advisor::{self, Faults, Flush, Question},
    group::Commits,
};

use super::OfTopic;
use crate::cli::{CliError, produce::AcksArg};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FlushArg {
    /// When the operating system writes it
    Os,
    /// Before it is acknowledged: flush.messages=1
    Fsync,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Consumer {
    /// What was processed is committed
    CommitAfter,
    /// What was fetched is committed, then processed
    CommitBefore,
    /// What was handed out is committed now and then, processed or not
    Auto,
}

/// Answers by visiting every state of the broker's own replication and group machines within bounds that it states: HOLDS
/// (exit code 0), CAN LOSE RECORDS with the shortest story and what would mend it (1), or NOT DECIDED (2).
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ProveArgs {
    /// Which acknowledgement the producer waits for
    #[arg(long, value_enum, default_value_t = AcksArg::All)]
    acks: AcksArg,
    /// How many replicas there are; 3 if no topic says otherwise
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..=5))]
    replication_factor: Option<u8>,
    /// min.insync.replicas; one less than there are replicas if no topic says otherwise
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..=5))]
    min_insync_replicas: Option<u8>,
    /// When what is acknowledged is on disk; fsync if no topic says otherwise
    #[arg(long, value_enum)]
    flush: Option<FlushArg>,
    /// unclean.leader.election.enable; off if no topic says otherwise
    #[arg(long, value_enum)]
    unclean_leader_election: Option<Switch>,
    /// When the consumers commit
    #[arg(long, value_enum, default_value_t = Consumer::CommitAfter)]
    consumer: Consumer,
    /// What may go wrong, and how often at most: crash, power-loss, leader-changes, lag (followers that fall behind; as many as
    /// min.insync.replicas allows if it is not said). What is not named does not happen
    #[arg(long, value_name = "FAULT=COUNT,…", value_parser = faults)]
    #[arg(default_value = "crash=1,power-loss=1,leader-changes=1,lag=1")]
    faults: Given,
    /// Take the settings of this topic, from a running broker (--bootstrap)
    #[arg(long, value_name = "NAME")]
    pub(super) topic: Option<String>,
    /// Write the answer as an HTML page, with the stories as sequence diagrams
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// Faults as they were named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Given {
    crashes: u8,
    power_losses: u8,
    leader_changes: u8,
    lags: Option<u8>,
}

fn faults(text: &str) -> Result<Given, String> {
    let mut given = Given::default();
    for fault in text.split(',').map(str::trim).filter(|fault| !fault.is_empty()) {
        let (name, count) = fault.split_once('=').ok_or("write FAULT=COUNT")?;
        let count: u8 =
            count.parse().ok().filter(|count| *count <= 5).ok_or("a count is 0 to 5")?;
        match name {
            "crash" => given.crashes = count,
            "power-loss" => given.power_losses = count,
            "leader-changes" => given.leader_changes = count,
            "lag" => given.lags = Some(count),
            _ => return Err("faults are crash, power-loss, leader-changes and lag".into()),
        }
    }
    Ok(given)
}

impl ProveArgs {
    /// What is asked: what the arguments say, else what the topic says, else the defaults.
    pub(super) fn question(&self, topic: &OfTopic) -> Result<Question, CliError> {
        let default = Question::default();
        let factor = self.replication_factor.or(topic.replication_factor);
        let factor = factor.unwrap_or(default.replication_factor);
        let min_insync = self.min_insync_replicas.or(topic.min_insync);
        let min_insync = min_insync.unwrap_or(factor.saturating_sub(1).max(1));
        if min_insync > factor {
            let text = format!(
                "min.insync.replicas={min_insync} of {factor} replicas: nothing can be written"
            );
            return Err(CliError::Usage(text));
        }
        let flush = self.flush.map(|flush| match flush {
            FlushArg::Os => Flush::System,
            FlushArg::Fsync => Flush::Fsync,
        });
        let unclean = self.unclean_leader_election.map(|switch| switch == Switch::On);
        let Given { crashes, power_losses, leader_changes, lags } = self.faults;
        Ok(Question {
            acks: match self.acks {
                AcksArg::None => advisor::Acks::None,
                AcksArg::Leader => advisor::Acks::Leader,
                AcksArg::All => advisor::Acks::All,
            },
            replication_factor: factor,
            min_insync,
            flush: flush.or(topic.flush).unwrap_or(default.flush),
            unclean: unclean.or(topic.unclean).unwrap_or(default.unclean),
            consumer: match self.consumer {
                Consumer::CommitAfter => Commits::AfterProcessing,
                Consumer::CommitBefore => Commits::BeforeProcessing,
                Consumer::Auto => Commits::Auto,
            },
            faults: Faults {
                crashes,
                power_losses,
                leader_changes,
                // Nobody lags but followers.
                lags: lags.unwrap_or(factor - min_insync).min(factor - 1),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: ProveArgs,
    }

    fn question(arguments: &[&str], topic: &OfTopic) -> Result<Question, CliError> {
        let arguments = ["prove"].iter().chain(arguments);
        Cli::try_parse_from(arguments).expect("they are arguments").args.question(topic)
    }

    #[test]
    fn faults_are_named() {
        let given = Given { crashes: 1, power_losses: 2, leader_changes: 0, lags: Some(0) };
        assert_eq!(faults("crash=1, power-loss=2,lag=0"), Ok(given));
        assert_eq!(faults(""), Ok(Given::default()));
        for text in ["crash", "crash=9", "crash=x", "meteor=1"] {
            assert!(faults(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_defaults_are_safe() {
        let asked = question(&[], &OfTopic::default()).expect("it can be asked");
        assert_eq!(asked, Question::default());
    }

    #[test]
    fn arguments_come_before_the_topic() {
        let topic = OfTopic {
            replication_factor: Some(1),
            min_insync: Some(1),
            flush: Some(Flush::System),
            unclean: Some(true),
        };
        let asked = question(&["--flush", "fsync", "--acks", "1"], &topic).expect("it can be");
        assert_eq!((asked.replication_factor, asked.min_insync), (1, 1));
        assert_eq!((asked.flush, asked.unclean), (Flush::Fsync, true));
        assert_eq!((asked.acks, asked.faults.lags), (advisor::Acks::Leader, 0));
        let too_many = question(&["--min-insync-replicas", "2"], &topic);
        assert!(matches!(too_many, Err(CliError::Usage(_))));
    }
}
