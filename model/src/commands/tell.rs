//! What there is to be checked.

use ottla_model::harness::{Size, counted};

use super::chosen;

/// Lists all configurations.
pub(crate) fn list() -> Result<bool, String> {
    for known in chosen(None)? {
        let size = match known.size {
            Size::Small => "small",
            Size::Large => "large",
            Size::Endless => "for walks",
        };
        let states =
            known.unique.map_or_else(String::new, |unique| format!(", {} states", counted(unique)));
        let (properties, marks) = known.subject.properties();
        println!("{} ({size}{states}): {}", known.name, known.bounds);
        println!("    holds    {}", properties.join(", "));
        let marks: Vec<_> = marks.into_iter().filter(|m| !known.unreachable.contains(m)).collect();
        println!("    reached  {}", marks.join(", "));
        for caught in known.mutants {
            let (id, what) = (caught.mutant.id(), caught.mutant.description());
            println!("    {id:8} {} ({what})", caught.property);
        }
    }
    Ok(true)
}
