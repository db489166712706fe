//! What the operator has said: on the command line, in the environment, in a file.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use ottla_core::config::{ConfigError, broker};

/// How a broker is to be run.
#[derive(Debug, Clone, Default)]
pub struct ServeSettings {
    /// `--listen`
    pub listen: Option<String>,
    /// `--advertise`
    pub advertise: Option<String>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--set`
    pub set: Vec<(String, String)>,
}

/// What counts, with everything that was said taken together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Where to listen, as host:port.
    pub listen: String,
    /// What clients are told to connect to; none for where the broker listens.
    pub advertise: Option<(String, u16)>,
    /// The data folder.
    pub data: PathBuf,
    /// The broker's configuration.
    pub configuration: BTreeMap<String, String>,
    /// Settings of Apache Kafka's that have no effect here.
    pub without_effect: Vec<String>,
}

/// Why what the operator said is not possible.
#[derive(Debug)]
pub enum SettingsError {
    /// The file cannot be read.
    File(PathBuf, io::Error),
    /// The file is not TOML.
    Toml(PathBuf, Box<toml::de::Error>),
    /// A setting is not possible.
    Setting(&'static str, ConfigError),
    /// A listener cannot be understood.
    Listener(String),
    /// More than one data folder.
    DataFolders(String),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{} cannot be read: {error}", path.display()),
            Self::Toml(path, error) => write!(f, "{} is not TOML: {error}", path.display()),
            Self::Setting(place, error) => write!(f, "{place}: {error}"),
            Self::Listener(text) => write!(
                f,
                "the listener {text} cannot be understood: write it as PLAINTEXT://host:port, or host:port (there is no TLS yet)"
            ),
            Self::DataFolders(text) => {
                write!(f, "log.dirs names more than one folder ({text}): one is possible")
            }
        }
    }
}

impl std::error::Error for SettingsError {}

/// What leads the environment's variables that are settings.
const ENVIRONMENT: &str = "OTTLA_";

/// The environment's variables that are no settings of the broker.
const OTHER_VARIABLES: &[&str] = &[
    "OTTLA_ADVERTISE",
    "OTTLA_BOOTSTRAP",
    "OTTLA_CONFIG",
    "OTTLA_DATA",
    "OTTLA_LISTEN",
    "OTTLA_LOG_LEVEL",
];

/// The variables with which tests find their things.
const TEST_VARIABLES: &str = "OTTLA_TEST_";

/// The data folder, unless another is named.
const DATA: &str = "ottla-data";

impl ServeSettings {
    /// Takes together what was said, the later the stronger: the file, the environment, the command line.
    pub fn resolve(
        self,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Resolved, SettingsError> {
        let mut configuration = BTreeMap::new();
        let mut without_effect = Vec::new();
        let mut take = |place, key: String, value: String| -> Result<(), SettingsError> {
            let has_effect = broker::validate(&key, &value)
                .map_err(|error| SettingsError::Setting(place, error))?;
            if has_effect {
                configuration.insert(key, value);
            } else {
                without_effect.push(key);
            }
            Ok(())
        };
        if let Some(path) = &self.config {
            for (key, value) in read_file(path)? {
                take("in the configuration file", key, value)?;
            }
        }
        for (name, value) in environment {
            let Some(key) = name.strip_prefix(ENVIRONMENT) else { continue };
            if OTHER_VARIABLES.contains(&name.as_str()) || name.starts_with(TEST_VARIABLES) {
                continue;
            }
            take("in the environment", key.to_lowercase().replace('_', "."), value)?;
        }
        for (key, value) in self.set {
            take("on the command line", key, value)?;
        }
        let setting = |key| broker::configured(&configuration, key);
        let listen = match self.listen {
            Some(listen) => listen,
            None => listener(&setting("listeners").unwrap_or_default())?,
        };
        check_address(&listen)?;
        let advertised = self.advertise.or_else(|| setting("advertised.listeners"));
        let advertise = advertised.map(|text| listener(&text).and_then(|text| split(&text)));
        let folder = setting("log.dirs").or_else(|| setting("log.dir"));
        if let Some(folder) = folder.as_ref().filter(|folder| folder.contains(',')) {
            return Err(SettingsError::DataFolders(folder.clone()));
        }
        let data = self.data.or_else(|| folder.map(PathBuf::from));
        Ok(Resolved {
            listen,
            advertise: advertise.transpose()?,
            data: data.unwrap_or_else(|| PathBuf::from(DATA)),
            configuration,
            without_effect,
        })
    }
}

/// The address of the first listener that clients can use, out of Kafka's notation.
fn listener(text: &str) -> Result<String, SettingsError> {
    let invalid = || SettingsError::Listener(text.to_owned());
    let usable = text.split(',').map(str::trim).find(|one| !one.starts_with("CONTROLLER://"));
    let one = usable.ok_or_else(invalid)?;
    let address = match one.split_once("://") {
        Some(("PLAINTEXT", address)) => address,
        Some(_) => return Err(invalid()),
        None => one,
    };
    // Without a host, all addresses are meant.
    let address = if let Some(port) = address.strip_prefix(':') {
        format!("0.0.0.0:{port}")
    } else {
        address.to_owned()
    };
    Ok(address)
}

fn split(address: &str) -> Result<(String, u16), SettingsError> {
    let invalid = || SettingsError::Listener(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(invalid)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((host.to_owned(), port.parse().map_err(|_| invalid())?))
}

fn check_address(address: &str) -> Result<(), SettingsError> {
    split(address).map(drop)
}

fn read_file(path: &Path) -> Result<Vec<(String, String)>, SettingsError> {
    let text =
        fs::read_to_string(path).map_err(|error| SettingsError::File(path.to_owned(), error))?;
    if path.extension().is_some_and(|extension| extension == "properties") {
        return Ok(parse_properties(&text));
    }
    let table: toml::Table =
        text.parse().map_err(|error| SettingsError::Toml(path.to_owned(), Box::new(error)))?;
    let mut settings = Vec::new();
    flatten("", &table, &mut settings);
    Ok(settings)
}

/// In TOML a dotted key is a table within a table; here it is one key.
fn flatten(prefix: &str, table: &toml::Table, settings: &mut Vec<(String, String)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(table) => flatten(&key, table, settings),
            toml::Value::String(text) => settings.push((key, text.clone())),
            toml::Value::Array(members) => {
                let members = members.iter().map(|member| match member {
                    toml::Value::String(text) => text.clone(),
                    toml::Value::Integer(_)
                    | toml::Value::Float(_)
                    | toml::Value::Boolean(_)
                    | toml::Value::Datetime(_)
                    | toml::Value::Array(_)
                    | toml::Value::Table(_) => member.to_string(),
                });
                settings.push((key, members.collect::<Vec<_>>().join(",")));
            }
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_) => settings.push((key, value.to_string())),
        }
    }
}

/// Java's properties, as far as Kafka's files use them: comments, continued lines, `=` or `:`.
fn parse_properties(text: &str) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    let mut joined = String::new();
    for line in text.lines() {
        let line = line.trim_start();
        if joined.is_empty() && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        if let Some(head) = line.strip_suffix('\\') {
            joined.push_str(head);
            continue;
        }
        joined.push_str(line);
        let whole = std::mem::take(&mut joined);
        let (key, value) = whole.split_once(['=', ':']).unwrap_or((&whole, ""));
        settings.push((key.trim().to_owned(), value.trim().to_owned()));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(settings: ServeSettings, environment: &[(&str, &str)]) -> Result<Resolved, String> {
        let environment =
            environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        settings.resolve(environment).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_said() {
        let resolved = resolve(ServeSettings::default(), &[]).expect("defaults are possible");
        assert_eq!(resolved.listen, "127.0.0.1:9092");
        assert_eq!(resolved.advertise, None);
        assert_eq!(resolved.data, PathBuf::from("ottla-data"));
    }

    #[test]
    fn the_command_line_is_stronger_than_the_environment() {
        let settings = ServeSettings {
            set: vec![("num.partitions".into(), "3".into())],
            ..ServeSettings::default()
        };
        let environment = [
            ("OTTLA_NUM_PARTITIONS", "2"),
            ("OTTLA_LOG_RETENTION_HOURS", "1"),
            ("OTTLA_TEST_HOME", "/nowhere"),
            ("PATH", "x"),
        ];
        let resolved = resolve(settings, &environment).expect("it is possible");
        assert_eq!(resolved.configuration["num.partitions"], "3");
        assert_eq!(resolved.configuration["log.retention.hours"], "1");
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let settings = ServeSettings {
            set: vec![("num.partition".into(), "3".into())],
            ..ServeSettings::default()
        };
        let error = resolve(settings, &[]).expect_err("there is no such key");
        assert_eq!(
            error,
            "on the command line: there is no setting num.partition; the nearest is num.partitions"
        );
    }

    #[test]
    fn kafkas_listeners() {
        let listen = |text: &str| listener(text).map_err(|error| error.to_string());
        assert_eq!(listen("PLAINTEXT://:9092").as_deref(), Ok("0.0.0.0:9092"));
        assert_eq!(listen("CONTROLLER://:9093,PLAINTEXT://h:1").as_deref(), Ok("h:1"));
        assert_eq!(listen("127.0.0.1:0").as_deref(), Ok("127.0.0.1:0"));
        assert!(listen("SSL://h:1").is_err());
    }

    #[test]
    fn properties_as_kafka_writes_them() {
        let text = "# comment\n\nnode.id=1\nlisteners = PLAINTEXT://:9092,\\\n  CONTROLLER://:9093\nempty=\n";
        assert_eq!(
            parse_properties(text),
            vec![
                ("node.id".into(), "1".into()),
                ("listeners".into(), "PLAINTEXT://:9092,CONTROLLER://:9093".into()),
                ("empty".into(), String::new()),
            ]
        );
    }

    #[test]
    fn dotted_keys_in_toml() {
        let table: toml::Table =
            "log.retention.ms = 5\n[log.cleaner]\nenable = false\n".parse().expect("it is TOML");
        let mut settings = Vec::new();
        flatten("", &table, &mut settings);
        settings.sort();
        assert_eq!(
            settings,
            vec![
                ("log.cleaner.enable".into(), "false".into()),
                ("log.retention.ms".into(), "5".into()),
            ]
        );
    }
}
