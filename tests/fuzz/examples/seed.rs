//! Writes the seeds of the corpus: `cargo run -p ottla-fuzzed --example seed`.

use std::{fs, io, path::Path};

use ottla_core::{
    records::{BatchBuilder, Compression, batch::BatchProducer},
    types::{ProducerEpoch, ProducerId, Sequence, Timestamp},
    wire::{Reader, Request, RequestHeader, Writer},
};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    write_frames(&corpus.join("frames"))?;
    write_batches(&corpus.join("batches"))
}

/// A request of every API in every version, as short as it can be: bodies of zeros and ones, cut where they can be read.
fn write_frames(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (key, version) in ottla_fuzzed::apis() {
        let bodies =
            [0_u8, 1].into_iter().flat_map(|fill| (0..80).map(move |length| vec![fill; length]));
        let readable = bodies
            .filter_map(|body| Request::decode(key, version, Reader::new(body.into())).ok())
            .next();
        let Some(request) = readable else { continue };
        let mut writer = Writer::new();
        let client_id = Some("seed".to_owned());
        RequestHeader { key, version, correlation_id: 1, client_id }.encode(&mut writer);
        request.encode(&mut writer, version);
        let frame = writer.freeze();
        let length = u32::try_from(frame.len()).unwrap_or_default();
        let bytes = [&length.to_be_bytes()[..], &frame].concat();
        fs::write(folder.join(format!("{}-{version}", key.name())), bytes)?;
    }
    Ok(())
}

/// A batch of every codec, with and without a producer.
fn write_batches(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let producer =
        BatchProducer { id: ProducerId(9), epoch: ProducerEpoch(1), base_sequence: Sequence(5) };
    for codec in Compression::ALL {
        for count in [1, 3] {
            let mut builder = BatchBuilder::new(codec);
            if count > 1 {
                builder = builder.with_producer(producer);
            }
            for number in 0..count {
                let header = ottla_core::records::Header { key: "name", value: Some(b"value") };
                builder.push(Timestamp(1_000 + number), Some(b"key"), Some(b"a value"), &[header]);
            }
            fs::write(folder.join(format!("{}-{count}", codec.name())), builder.build())?;
        }
    }
    Ok(())
}
