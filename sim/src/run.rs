//! A run: chaos, then calm, then the verdict.
