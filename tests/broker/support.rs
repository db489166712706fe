//! A broker as a child process, and a client that can be told to misbehave.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ottla_core::{
    records::{BatchBuilder, Compression, batch::BatchProducer},
    types::{ProducerEpoch, ProducerId, Sequence, Timestamp},
    wire::{
        ApiKey, Reader, RecordData, Request, RequestHeader, Wire, Writer,
        api::RequestMessage,
        decode_response_header,
        messages::{
            api_versions::ApiVersionsRequest,
            create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
            fetch::{FetchPartition, FetchRequest, FetchTopic},
            produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
        },
    },
};

/// Longer than anything takes here that ends at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A folder that is gone when the test ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("ottla-broker-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Prints that a test cannot be run here; where everything should be there, that is a failure.
pub(crate) fn skip(name: &str, reason: &str) {
    eprintln!("SKIPPED: {name}: {reason}");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{name} must not be skipped here");
}

/// The `ottla` command, with nothing of the environment that would be a setting.
pub(crate) fn ottla() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTTLA_")) {
        command.env_remove(name);
    }
    command
}

/// What a process prints, line by line, as far as it has come.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let filled = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                filled.0.lock().unwrap().push(line);
            }
        });
        lines
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }

    /// Waits until a line has `part` in it.
    pub(crate) fn wait_for(&self, part: &str) -> String {
        let since = Instant::now();
        loop {
            if let Some(line) = self.0.lock().unwrap().iter().find(|line| line.contains(part)) {
                return line.clone();
            }
            assert!(since.elapsed() < PATIENCE, "no line with {part:?} in:\n{}", self.text());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A broker that runs.
pub(crate) struct Broker {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) out: Lines,
    pub(crate) err: Lines,
}

impl Broker {
    /// Starts a broker with these settings, and waits until it serves.
    pub(crate) fn start(data: &Path, settings: &[&str]) -> Self {
        let mut child = Self::spawn(data, settings);
        let out = Lines::of(child.stdout.take().unwrap());
        let err = Lines::of(child.stderr.take().unwrap());
        let since = Instant::now();
        while !out.text().contains("bootstrap") {
            if let Some(status) = child.try_wait().unwrap() {
                thread::sleep(Duration::from_millis(50));
                panic!("the broker ended with {status}:\n{}", err.text());
            }
            if since.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("the broker does not get ready:\n{}", err.text());
            }
            thread::sleep(Duration::from_millis(5));
        }
        let line = out.wait_for("bootstrap");
        let address = line.split_whitespace().last().unwrap().parse().unwrap();
        Self { child, address, out, err }
    }

    /// Starts a process, and waits for nothing.
    pub(crate) fn spawn(data: &Path, settings: &[&str]) -> Child {
        let mut command = ottla();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        command.args(["--set", "ottla.http.listener=", "--set", "offsets.topic.num.partitions=1"]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        let process = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Has the broker stop in order.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "the broker does not end:\n{}", self.err.text());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the broker as a power failure would, save that the operating system goes on.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The most memory that the broker has had so far.
    pub(crate) fn memory_peak_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Nothing that was done to the broker keeps it from serving others, and it has not panicked.
    pub(crate) fn check_alive(&self) {
        let mut client = self.client();
        let response = client.call(
            3,
            ApiVersionsRequest {
                client_software_name: "tests".into(),
                client_software_version: "1".into(),
            },
        );
        assert_eq!(response.error_code, 0);
        assert!(!self.err.text().contains("panicked"), "{}", self.err.text());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request as a frame.
pub(crate) fn frame(version: i16, request: &Request) -> Vec<u8> {
    let mut writer = Writer::new();
    let client_id = Some("tests".to_owned());
    RequestHeader { key: request.key(), version, correlation_id: 7, client_id }.encode(&mut writer);
    request.encode(&mut writer, version);
    framed(&writer.freeze())
}

/// Bytes with their length in front.
pub(crate) fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes(), bytes].concat()
}

/// A connection to a broker.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// The next response, without its length.
    pub(crate) fn receive(&mut self) -> io::Result<Bytes> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut body)?;
        Ok(body.into())
    }

    /// Sends a request, and waits for its response.
    pub(crate) fn call<R: RequestMessage + Into<Request>>(
        &mut self,
        version: i16,
        request: R,
    ) -> R::Response {
        self.send(&frame(version, &request.into()));
        self.response::<R>(version)
    }

    pub(crate) fn response<R: RequestMessage>(&mut self, version: i16) -> R::Response {
        let mut reader = Reader::new(self.receive().unwrap());
        assert_eq!(decode_response_header(&mut reader, R::KEY, version), Ok(7));
        R::Response::decode(&mut reader, R::KEY.version(version)).unwrap()
    }

    /// Waits until the broker has closed the connection; what it sent before does not matter.
    pub(crate) fn wait_for_close(&mut self) {
        let mut rest = [0; 4096];
        loop {
            match self.0.read(&mut rest) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return,
                Err(error) => panic!("the connection is not closed: {error}"),
            }
        }
    }

    /// Makes a topic of one partition, and returns the error code.
    pub(crate) fn create(&mut self, name: &str, configs: &[(&str, &str)]) -> (i16, String) {
        let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
        });
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: 1,
            replication_factor: 1,
            configs: configs.collect(),
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let response = self.call(4, request);
        let topic = &response.topics[0];
        (topic.error_code, topic.error_message.clone().unwrap_or_default())
    }

    /// Writes a batch to partition 0, and returns the error code and the offset.
    pub(crate) fn produce(&mut self, topic: &str, batch: Vec<u8>) -> (i16, i64) {
        let response = self.call(8, produce_request(topic, 0, batch));
        let partition = &response.responses[0].partition_responses[0];
        (partition.error_code, partition.base_offset)
    }

    /// Reads partition 0 of a topic; returns the error code and the batches' bytes.
    pub(crate) fn fetch(&mut self, topic: &str, offset: i64) -> (i16, Bytes) {
        let response = self.call(11, fetch_request(topic, offset));
        let Some(topic) = response.responses.first() else {
            return (response.error_code, Bytes::new());
        };
        let partition = &topic.partitions[0];
        let bytes = match partition.records.clone() {
            Some(RecordData::Bytes(bytes)) => bytes,
            Some(RecordData::Range(_)) | None => Bytes::new(),
        };
        (partition.error_code, bytes)
    }
}

pub(crate) fn produce_request(topic: &str, index: i32, batch: Vec<u8>) -> ProduceRequest {
    ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            name: topic.to_owned(),
            partition_data: vec![PartitionProduceData { index, records: Some(batch.into()) }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub(crate) fn fetch_request(topic: &str, fetch_offset: i64) -> FetchRequest {
    let partition =
        FetchPartition { fetch_offset, partition_max_bytes: 1 << 20, ..Default::default() };
    FetchRequest {
        max_wait_ms: 0,
        min_bytes: 1,
        topics: vec![FetchTopic {
            topic: topic.to_owned(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A batch of one record.
pub(crate) fn batch(value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(Timestamp(1_000), Some(b"key"), Some(value), &[]);
    builder.build().to_vec()
}

/// A batch of one record of an idempotent producer.
pub(crate) fn sequenced(id: i64, epoch: i16, sequence: i32) -> Vec<u8> {
    let producer = BatchProducer {
        id: ProducerId(id),
        epoch: ProducerEpoch(epoch),
        base_sequence: Sequence(sequence),
    };
    let mut builder = BatchBuilder::new(Compression::None).with_producer(producer);
    builder.push(Timestamp(1_000), None, Some(b"value"), &[]);
    builder.build().to_vec()
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "it is not so that {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// An API whose requests are known to be small.
pub(crate) const SOME_API: ApiKey = ApiKey::Metadata;
