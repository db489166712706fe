//! Histories of what clients asked and were told, and the checker that judges them.
