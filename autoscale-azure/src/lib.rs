//! The Azure side of [`autoscale_core`].
//!
//! **Nothing is implemented yet.** This package holds the place, so that the workspace, its lints and its checks are
//! whole from the start. What will live here, one module and one feature each, all on by default:
//!
//! | module | what it is |
//! |---|---|
//! | `vm` | [`NodeProvider`](autoscale_core::ports::NodeProvider) over virtual machines: the machine's name is the token, never overwritten |
//! | `blob` | [`StateStore`](autoscale_core::ports::StateStore) on one blob, by `If-Match` |
//! | `events` | scheduled events, such as the eviction of a spot machine, as notices |
//! | `identity` | tokens of a managed identity |
//!
//! Each constructor will take the SDK's own client or configuration; no other SDK type will be part of a signature.
//! Until then a provider of your own needs only the traits in [`autoscale_core::ports`].
