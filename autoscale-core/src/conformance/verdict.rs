//! What a suite found.

use std::fmt;

/// What one test found.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Finding {
    /// The sentence holds.
    Passed,
    /// It does not.
    Failed {
        /// What was seen instead.
        why: String,
    },
    /// The stage cannot make happen what the test needs.
    NotApplicable {
        /// What that is.
        why: String,
    },
}

/// One test and what it found.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// The test.
    pub test: &'static str,
    /// The sentence of the contract that it is about.
    pub contract: &'static str,
    /// What it found.
    pub finding: Finding,
}

/// Every test of one port, in their order. `Display` prints one line for each.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a suite that nobody looks at proves nothing"]
#[non_exhaustive]
pub struct Verdicts {
    /// The port.
    pub port: &'static str,
    /// One for each test.
    pub verdicts: Vec<Verdict>,
}

impl Verdicts {
    /// The names of the tests that failed.
    pub fn failed(&self) -> Vec<&'static str> {
        self.named(|finding| matches!(finding, Finding::Failed { .. }))
    }

    /// The names of the tests that the stage could not be put to.
    pub fn not_applicable(&self) -> Vec<&'static str> {
        self.named(|finding| matches!(finding, Finding::NotApplicable { .. }))
    }

    /// Ends a test of yours with the whole list, unless nothing failed.
    ///
    /// # Panics
    /// If a test failed.
    pub fn assert_all(&self) {
        assert!(self.failed().is_empty(), "{self}");
    }

    fn named(&self, which: impl Fn(&Finding) -> bool) -> Vec<&'static str> {
        let chosen = self.verdicts.iter().filter(|verdict| which(&verdict.finding));
        chosen.map(|verdict| verdict.test).collect()
    }
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, skipped) = (self.failed().len(), self.not_applicable().len());
        let passed = self.verdicts.len().saturating_sub(failed + skipped);
        writeln!(f, "{}: {passed} passed, {failed} failed, {skipped} not applicable", self.port)?;
        self.verdicts.iter().try_for_each(|verdict| writeln!(f, "  {verdict}"))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { test, contract, finding } = self;
        match finding {
            Finding::Passed => write!(f, "ok    {test}"),
            Finding::Failed { why } => write!(f, "FAIL  {test}: {why}\n        contract: {contract}"),
            Finding::NotApplicable { why } => write!(f, "n/a   {test}: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_failed_and_why() {
        let verdict = |test, finding| Verdict { test, contract: "A sentence.", finding };
        let verdicts = Verdicts {
            port: "StateStore",
            verdicts: vec![
                verdict("one", Finding::Passed),
                verdict("two", Finding::Failed { why: "it was not".to_owned() }),
                verdict("three", Finding::NotApplicable { why: "cannot".to_owned() }),
            ],
        };
        assert_eq!(
            verdicts.to_string(),
            "StateStore: 1 passed, 1 failed, 1 not applicable\n  ok    one\n  FAIL  two: it was not\n        \
             contract: A sentence.\n  n/a   three: cannot\n"
        );
        assert_eq!((verdicts.failed(), verdicts.not_applicable()), (vec!["two"], vec!["three"]));
    }
}
