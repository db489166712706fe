//! The kept answers: one text file for each theme, one section for each case.

use std::{collections::BTreeMap, fmt::Write as _, fs, io, path::Path};

use crate::cases::theme_of;

const SECTION: &str = "=== ";
const EXTENSION: &str = "txt";

/// Transcripts by the names of their cases.
pub(crate) type Answers = BTreeMap<String, String>;

/// Reads the files of a folder. A folder that is not there has none.
pub(crate) fn read(folder: &Path) -> io::Result<Answers> {
    let mut answers = Answers::new();
    if !folder.exists() {
        return Ok(answers);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            answers.extend(parse(&fs::read_to_string(path)?));
        }
    }
    Ok(answers)
}

/// Writes the answers as the only files of a folder.
pub(crate) fn write(folder: &Path, answers: &Answers) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut files = BTreeMap::<&str, String>::new();
    for (name, transcript) in answers {
        let file = files.entry(theme_of(name)).or_default();
        let separator = if file.is_empty() { "" } else { "\n" };
        write!(file, "{separator}{SECTION}{name}\n{transcript}")
            .expect("a string takes all that is written");
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            fs::remove_file(path)?;
        }
    }
    for (theme, text) in files {
        fs::write(folder.join(theme).with_extension(EXTENSION), text)?;
    }
    Ok(())
}

fn parse(text: &str) -> Answers {
    let mut answers = Answers::new();
    for section in format!("\n{text}").split(&format!("\n{SECTION}")).skip(1) {
        let (name, transcript) = section.split_once('\n').unwrap_or((section, ""));
        answers.insert(name.to_owned(), format!("{}\n", transcript.trim_end()));
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_told_apart() {
        let text = "=== a/one\n> Ask\n< {\n}\n\n=== a/two\n> Ask\n";
        let answers = parse(text);
        assert_eq!(answers["a/one"], "> Ask\n< {\n}\n");
        assert_eq!(answers["a/two"], "> Ask\n");
    }
}
