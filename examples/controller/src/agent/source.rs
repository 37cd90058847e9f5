//! Where an agent reads.

use async_trait::async_trait;
use autoscale_azure::events::{Document, Metadata};
use autoscale_core::ports::Error;

/// Where an agent reads: the metadata service of its machine, or a stand-in.
#[async_trait]
pub trait Source: std::fmt::Debug + Send + Sync + 'static {
    /// The machine's name, as documents have it.
    ///
    /// # Errors
    /// No answer, or none that can be read.
    async fn machine(&self) -> Result<String, Error>;

    /// What is announced now.
    ///
    /// # Errors
    /// No answer, or none that can be read.
    async fn read(&self) -> Result<Document, Error>;
}

#[async_trait]
impl Source for Metadata {
    async fn machine(&self) -> Result<String, Error> {
        Self::machine(self).await
    }

    async fn read(&self) -> Result<Document, Error> {
        Self::read(self).await
    }
}
