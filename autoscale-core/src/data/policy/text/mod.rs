//! A policy as text: JSON, and with the feature `yaml` also YAML and TOML.

mod defaulted;
mod json;
#[cfg(feature = "yaml")]
mod scalar;
#[cfg(feature = "yaml")]
mod show;
#[cfg(feature = "yaml")]
mod toml;
#[cfg(feature = "yaml")]
mod yaml;

use std::path::Path;

use super::Policy;
use super::check::check;
use super::error::PolicyErrors;
use super::mark::{Mark, Source};
use super::raw::{MAX_SIZE, Raw};

/// How the text of a policy is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum PolicyFormat {
    /// JSON.
    Json,
    /// YAML 1.2.
    #[cfg(feature = "yaml")]
    Yaml,
    /// TOML.
    #[cfg(feature = "yaml")]
    Toml,
}

impl PolicyFormat {
    /// By the ending of a file's name: `.json`, and with the feature `yaml` also `.yaml`, `.yml` and `.toml`. Looks at the
    /// path alone; the file need not exist.
    ///
    /// ```
    /// # use autoscale_core::data::policy::PolicyFormat;
    /// assert_eq!(PolicyFormat::of_path("/etc/shop/policy.json".as_ref()), Some(PolicyFormat::Json));
    /// assert_eq!(PolicyFormat::of_path("policy".as_ref()), None);
    /// ```
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            #[cfg(feature = "yaml")]
            "yaml" | "yml" => Some(Self::Yaml),
            #[cfg(feature = "yaml")]
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// What is written, and where.
fn tree(text: &str, format: PolicyFormat) -> Result<(Raw, Mark), PolicyErrors> {
    if text.len() > MAX_SIZE {
        let expected = format!("at most {MAX_SIZE} bytes");
        return Err(PolicyErrors::whole(format!("{} bytes", text.len()), expected));
    }
    match format {
        PolicyFormat::Json => json::read(text),
        #[cfg(feature = "yaml")]
        PolicyFormat::Yaml => yaml::read(text),
        #[cfg(feature = "yaml")]
        PolicyFormat::Toml => toml::read(text),
    }
}

impl Policy {
    /// Reads a policy from text of at most 1 MiB. To read a file, read its text and take the format of its path:
    ///
    /// ```no_run
    /// # use autoscale_core::data::policy::{Policy, PolicyFormat};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let path = std::path::Path::new("policy.json");
    /// let format = PolicyFormat::of_path(path).ok_or("neither JSON nor YAML nor TOML")?;
    /// let policy = Policy::parse(&std::fs::read_to_string(path)?, format)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong at once: line and column, where in the policy, what stands there and what was expected.
    pub fn parse(text: &str, format: PolicyFormat) -> Result<Self, PolicyErrors> {
        let (raw, mark) = tree(text, format)?;
        check(&raw, Some(Source { text, mark: &mark }))
    }

    /// Reads a policy from text as [`Policy::parse`] does, and says which of its settings the text leaves to their
    /// defaults, each with its path and its value.
    ///
    /// # Errors
    /// As of [`Policy::parse`].
    pub fn parse_with_defaults(
        text: &str,
        format: PolicyFormat,
    ) -> Result<(Self, Vec<(String, String)>), PolicyErrors> {
        let (raw, mark) = tree(text, format)?;
        let policy = check(&raw, Some(Source { text, mark: &mark }))?;
        let defaults = defaulted::defaults(&raw, &super::write::canonical(&policy));
        Ok((policy, defaults))
    }

    /// Reads a policy from JSON of at most 1 MiB.
    ///
    /// # Errors
    /// As of [`Policy::parse`].
    pub fn from_json(text: &str) -> Result<Self, PolicyErrors> {
        Self::parse(text, PolicyFormat::Json)
    }

    /// Reads a policy from YAML of at most 1 MiB: one document of YAML 1.2, in which `yes`, `no`, `on` and `off` are texts.
    /// Anchors and aliases are allowed within the limit of size; tags and merge keys are not.
    ///
    /// # Errors
    /// As of [`Policy::parse`].
    #[cfg(feature = "yaml")]
    pub fn from_yaml(text: &str) -> Result<Self, PolicyErrors> {
        Self::parse(text, PolicyFormat::Yaml)
    }

    /// Reads a policy from TOML of at most 1 MiB.
    ///
    /// # Errors
    /// As of [`Policy::parse`].
    #[cfg(feature = "yaml")]
    pub fn from_toml(text: &str) -> Result<Self, PolicyErrors> {
        Self::parse(text, PolicyFormat::Toml)
    }

    /// The canonical form as YAML: every setting spelled out. It reads back to an equal policy.
    #[cfg(feature = "yaml")]
    pub fn to_yaml(&self) -> String {
        show::yaml(&super::write::canonical(self))
    }

    /// The canonical form as TOML: every setting spelled out. It reads back to an equal policy.
    #[cfg(feature = "yaml")]
    pub fn to_toml(&self) -> String {
        show::toml(&super::write::canonical(self))
    }
}
