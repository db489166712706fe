//! Words for people.

/// A number of things that `noun` names in the singular: "1 record", "2 records".
pub(super) fn counted(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(
            [0, 1, 2].map(|number| counted(number, "record")),
            ["0 records", "1 record", "2 records"]
        );
    }
}
