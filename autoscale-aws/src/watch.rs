//! What is learned of one request on its way: whether it has left, when the service answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use autoscale_core::words::Timestamp;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// No `Date` so far.
const NEVER: i64 = i64::MIN;

/// Asked when a request is signed and about to be handed to the connection: why it must not go, if so.
pub(crate) trait Gate: std::fmt::Debug + Send + Sync {
    /// Nothing, if it may go.
    fn closed(&self) -> Option<String>;
}

/// One request. A clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Watch(Arc<Seen>);

#[derive(Debug)]
struct Seen {
    gate: Option<Box<dyn Gate>>,
    left: AtomicBool,
    date: AtomicI64,
}

impl Watch {
    /// A request that may leave at any time.
    pub(crate) fn new() -> Self {
        Self::with(None)
    }

    /// A request that leaves only if the gate is open once it is signed.
    #[cfg(feature = "ec2")]
    pub(crate) fn gated(gate: impl Gate + 'static) -> Self {
        Self::with(Some(Box::new(gate)))
    }

    fn with(gate: Option<Box<dyn Gate>>) -> Self {
        Self(Arc::new(Seen { gate, left: AtomicBool::new(false), date: AtomicI64::new(NEVER) }))
    }

    /// Whether the request was handed to the connection. If not, it was certainly not carried out.
    pub(crate) fn left(&self) -> bool {
        self.0.left.load(Ordering::Acquire)
    }

    /// The service's clock when it answered, to the second.
    pub(crate) fn date(&self) -> Option<Timestamp> {
        let date = self.0.date.load(Ordering::Acquire);
        (date != NEVER).then(|| Timestamp::from_millis(date))
    }
}

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "Watch"
    }

    // The last moment: the request is signed, and whatever this returns is the last word before the connection has it.
    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(why) = self.0.gate.as_ref().and_then(|gate| gate.closed()) {
            return Err(why.into());
        }
        self.0.left.store(true, Ordering::Release);
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date").and_then(crate::time::http_date) {
            self.0.date.store(date.as_millis(), Ordering::Release);
        }
        Ok(())
    }
}
