//! A policy from a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use autoscale_core::data::policy::{Policy, PolicyFormat};

use crate::bad::Bad;
use crate::table;

/// No policy is larger.
const LARGEST: u64 = 1 << 20;

/// A policy, and the file that it came from.
#[derive(Clone, Debug)]
pub(crate) struct PolicyFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) policy: Arc<Policy>,
    /// The settings that it leaves to their defaults: path and value.
    pub(crate) defaults: Vec<(String, String)>,
}

impl PolicyFile {
    /// Reads a file, in the format that its name ends in.
    ///
    /// # Errors
    /// Everything that is wrong with it, with line and column.
    pub(crate) fn read(path: &Path) -> Result<Self, Bad> {
        let Some(format) = PolicyFormat::of_path(path) else {
            return Err(Bad::whole(
                path,
                "expected a name that ends in .yaml, .yml, .toml or .json".to_owned(),
            ));
        };
        let bytes = table::bytes(path, LARGEST)?;
        let text =
            table::text_of(&bytes).map_err(|(line, reason)| Bad::of(path, vec![(Some(line), reason)]))?;
        if text.trim().is_empty() {
            return Err(Bad::whole(path, "empty file: expected a policy".to_owned()));
        }
        let read = Policy::parse_with_defaults(text, format);
        let (policy, defaults) = read.map_err(|errors| Bad::Policy(path.to_owned(), Box::new(errors)))?;
        Ok(Self { path: path.to_owned(), policy: Arc::new(policy), defaults })
    }
}
