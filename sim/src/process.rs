//! Processes: they begin, die, stand still and end.
