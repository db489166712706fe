//! The command line.

mod log;

use std::process::ExitCode;

use crate::server::ServeSettings;

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    log::begin();
    let mut settings = ServeSettings::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "serve" => {}
            "--listen" => settings.listen = args.next(),
            "--data" => settings.data = args.next().map(Into::into),
            "--config" => settings.config = args.next().map(Into::into),
            "--set" => {
                let kv = args.next().unwrap_or_default();
                let (k, v) = kv.split_once('=').unwrap_or((&kv, ""));
                settings.set.push((k.into(), v.into()));
            }
            _ => return ExitCode::from(2),
        }
    }
    crate::server::standalone::run(settings)
}
