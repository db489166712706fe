//! The commands that start brokers: `NAME=COMMAND`, in which the port and the folder are filled in.

use std::{fmt, path::Path};

/// What stands for the port.
const PORT: &str = "{port}";
/// What stands for the folder.
const FOLDER: &str = "{dir}";
/// What this broker is called in a comparison.
pub(super) const OWN: &str = "ottla";

/// A broker that takes part, and how it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contender {
    pub(super) name: String,
    /// For the shell, with places for the port and the folder.
    template: String,
}

/// Why text is no `NAME=COMMAND`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InvalidContender {
    /// There is no equals sign.
    NoCommand,
    /// The name is empty, or cannot name a folder.
    Name(String),
    /// The command has no place for the port.
    NoPort,
}

impl fmt::Display for InvalidContender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommand => f.write_str("not NAME=COMMAND"),
            Self::Name(name) => {
                write!(f, "`{name}` is no name: take letters, digits, dots, dashes, underscores")
            }
            Self::NoPort => write!(f, "the command has no {PORT}: where would the broker listen?"),
        }
    }
}

impl std::error::Error for InvalidContender {}

impl Contender {
    /// This broker, without the listener that a second one would want as well.
    pub(super) fn own(executable: &Path) -> Self {
        let executable = quoted(&executable.to_string_lossy());
        let template = format!(
            "exec {executable} serve --listen 127.0.0.1:{PORT} --data {FOLDER} \
             --set ottla.http.listener="
        );
        Self { name: OWN.to_owned(), template }
    }

    /// The command for the shell, with what stands for the port and the folder filled in.
    pub(super) fn command(&self, port: u16, folder: &Path) -> String {
        // The folder last: its own name is not to be filled in.
        self.template
            .replace(PORT, &port.to_string())
            .replace(FOLDER, &quoted(&folder.to_string_lossy()))
    }

    /// The command as it was given.
    pub(super) fn template(&self) -> &str {
        &self.template
    }
}

/// `NAME=COMMAND`; the command may contain further equals signs.
pub(super) fn parse(text: &str) -> Result<Contender, InvalidContender> {
    let (name, template) = text.split_once('=').ok_or(InvalidContender::NoCommand)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
        return Err(InvalidContender::Name(name.to_owned()));
    }
    if !template.contains(PORT) {
        return Err(InvalidContender::NoPort);
    }
    Ok(Contender { name: name.to_owned(), template: template.to_owned() })
}

/// A word for the shell.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_and_folder_are_filled_in_wherever_they_stand() {
        let contender =
            parse("k-1=A=b run {port} --x={port},${HOME} {dir}/a {dir}").expect("valid");
        assert_eq!(contender.name, "k-1");
        assert_eq!(
            contender.command(9092, Path::new("/tmp/a")),
            "A=b run 9092 --x=9092,${HOME} /tmp/a/a /tmp/a"
        );
        assert_eq!(contender.template(), "A=b run {port} --x={port},${HOME} {dir}/a {dir}");
    }

    #[test]
    fn a_folder_with_an_odd_name_is_one_word_for_the_shell() {
        let contender = parse("a=printf %s, {port} {dir}").expect("valid");
        let folder = Path::new("/tmp/it's $HOME {port}");
        let output = std::process::Command::new("sh")
            .args(["-c", &contender.command(1, folder)])
            .output()
            .expect("a shell");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1,/tmp/it's $HOME {port},");
    }

    #[test]
    fn this_broker_is_a_contender_like_any_other() {
        assert_eq!(
            Contender::own(Path::new("/opt/my ottla")).command(5, Path::new("/d")),
            "exec '/opt/my ottla' serve --listen 127.0.0.1:5 --data /d --set ottla.http.listener="
        );
    }

    #[test]
    fn what_is_no_contender() {
        assert_eq!(parse("kafka"), Err(InvalidContender::NoCommand));
        assert_eq!(parse("=run {port}"), Err(InvalidContender::Name(String::new())));
        assert_eq!(parse("../a=run {port}"), Err(InvalidContender::Name("../a".into())));
        assert_eq!(parse("a=run {dir}"), Err(InvalidContender::NoPort));
    }
}
