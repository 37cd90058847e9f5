//! The handle of a fake API server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use autoscale_core::words::{Span, Timestamp};
use kube::Client;
use serde_json::Value;
use tokio::sync::watch;

use super::access::{ADMIN, Permission, binding};
use super::agenda::Event;
use super::faults::{Fault, Weather};
use super::journal::{Count, Entry};
use super::json::{put, words};
use super::kinds::K;
use super::nodes::NodeSpec;
use super::service::Front;
use super::settings::Settings;
use super::store::Key;
use super::world::{CONTROLLER_MANAGER, KUBELET_STATUS, World};

/// An API server in memory, with a small cluster behind it. Cloning gives another handle of the same server.
///
/// Time in it stands still until [`advance`](Self::advance) moves it. See the [module](super) for what it models.
#[derive(Clone)]
pub struct ApiServer {
    world: Arc<Mutex<World>>,
    /// Goes up with whatever a watch or a delayed request may wait for.
    changes: Arc<watch::Sender<u64>>,
}

impl std::fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiServer").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Default for ApiServer {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl ApiServer {
    /// A new server with the four namespaces that every cluster has.
    pub fn new(settings: Settings) -> Self {
        let (changes, _) = watch::channel(0);
        Self { world: Arc::new(Mutex::new(World::new(settings))), changes: Arc::new(changes) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits in virtual time.
    pub(super) async fn sleep(&self, span: Span) {
        let mut changes = self.subscribe();
        let until = {
            let mut world = self.lock();
            let until = world.now.after(span);
            world.agenda.at(until, Event::Tick);
            until
        };
        while self.now() < until {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Does something to the world, lets controllers react, and tells watches.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.lock();
        let result = act(&mut world);
        world.run();
        drop(world);
        self.changed();
        result
    }

    /// A client of the user `admin`, who may do everything. Its default namespace is `default`. Clients have to be made
    /// in a runtime of tokio.
    pub fn client(&self) -> Client {
        self.client_as(ADMIN)
    }

    /// A client of a user, who may do what roles bound to that name allow. A ServiceAccount is called
    /// `system:serviceaccount:NAMESPACE:NAME`.
    pub fn client_as(&self, user: impl Into<String>) -> Client {
        Client::new(Front { server: self.clone(), user: Some(user.into()) }, "default")
    }

    /// The virtual time.
    pub fn now(&self) -> Timestamp {
        self.lock().now
    }

    /// Lets time pass: pods start and end, nodes are lost, controllers do their work.
    pub fn advance(&self, span: Span) {
        self.with(|world| world.run_until(world.now.after(span)));
    }

    /// Lets time pass until the next thing happens, at most so much of it; how much passed.
    pub fn advance_to_next(&self, most: Span) -> Span {
        self.with(|world| {
            let before = world.now;
            let next = world.agenda.next().unwrap_or(before.after(most));
            world.run_until(next.min(before.after(most)).max(before));
            world.now.since(before)
        })
    }

    /// Adds a node that has joined, Ready and schedulable at once unless the spec says otherwise; its uid.
    /// A node of that name that is there already stays, and its uid is given.
    pub fn add_node(&self, spec: NodeSpec) -> String {
        self.add_nodes([spec]).pop().unwrap_or_default()
    }

    /// Adds many nodes at once; their uids.
    pub fn add_nodes(&self, specs: impl IntoIterator<Item = NodeSpec>) -> Vec<String> {
        self.with(|world| {
            let add = |spec: NodeSpec, world: &mut World| {
                let key = Key::global(spec.name.as_str());
                let since = world.now.before(spec.age).to_string();
                let node = spec.object(world.now);
                // One that is there stays.
                if world.create(K::NODES, "", node, KUBELET_STATUS, false).is_ok() {
                    let created = ["metadata", "creationTimestamp"];
                    world.update(K::NODES, &key, KUBELET_STATUS, |node| put(node, &created, since));
                }
                world.store.get(K::NODES, &key).map(|node| words(node, "/metadata/uid").to_owned())
            };
            specs.into_iter().map(|spec| add(spec, world).unwrap_or_default()).collect()
        })
    }

    /// The kubelet of a node says nothing any more: after the grace time it counts as lost.
    pub fn node_stops_reporting(&self, name: &str) {
        self.with(|world| world.hush(name, true));
    }

    /// The kubelet of a node is heard of again.
    pub fn node_reports_again(&self, name: &str) {
        self.with(|world| world.hush(name, false));
    }

    /// The Node object goes, as when a cloud controller finds its instance gone.
    pub fn remove_node(&self, name: &str) {
        self.with(|world| drop(world.remove(K::NODES, &Key::global(name))));
    }

    /// A pod ends by itself, well or badly.
    pub fn finish_pod(&self, namespace: &str, name: &str, well: bool) {
        self.with(|world| world.finish(&Key::new(namespace, name), well));
    }

    /// What is stored, without a request: `None` if there is no such object or kind. `api_version` and `kind` as in an
    /// object, such as `apps/v1` and `Deployment`; an empty namespace for a kind without.
    pub fn object(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let world = self.lock();
        let kind = world.kinds.of_object(api_version, kind)?;
        world.store.get(kind, &Key::new(namespace, name)).map(|object| Value::clone(object))
    }

    /// All that is stored of a kind, without a request.
    pub fn objects(&self, api_version: &str, kind: &str) -> Vec<Value> {
        let world = self.lock();
        let Some(kind) = world.kinds.of_object(api_version, kind) else { return Vec::new() };
        world.store.range(kind, None, None).map(|(_, object)| Value::clone(object)).collect()
    }

    /// Stores an object as if `admin` had made it, without a request; an error is the `Status` of the refusal.
    ///
    /// # Errors
    /// As the request would have been refused.
    pub fn create(&self, object: Value) -> Result<Value, Value> {
        self.with(|world| {
            let kind = world.kinds.of_object(words(&object, "/apiVersion"), words(&object, "/kind"));
            let kind = kind.ok_or_else(|| Value::from("no such kind"))?;
            let namespace = super::json::text(&object, "/metadata/namespace").unwrap_or("default").to_owned();
            let made = world.create(kind, &namespace, object, CONTROLLER_MANAGER, false);
            made.map(|made| Value::clone(&made)).map_err(|refusal| refusal.body)
        })
    }

    /// Whoever sends this bearer token is this user.
    pub fn add_token(&self, token: &str, user: &str) {
        self.with(|world| world.access.add_token(token, user));
    }

    /// A user belongs to a group. Those of `system:masters` may do everything.
    pub fn add_to_group(&self, user: &str, group: &str) {
        self.with(|world| world.access.join(user, group));
    }

    /// Stores Roles and ClusterRoles and binds each to a user: a ClusterRole everywhere, a Role in its namespace.
    ///
    /// # Errors
    /// The `Status` of the first refusal, such as for a role that is there already.
    pub fn grant(&self, user: &str, roles: impl IntoIterator<Item = Value>) -> Result<(), Value> {
        for role in roles {
            let (kind, name) = (words(&role, "/kind").to_owned(), words(&role, "/metadata/name").to_owned());
            let namespace = words(&role, "/metadata/namespace").to_owned();
            self.create(role)?;
            let mut bound = binding(&format!("{name}-{}", user.replace(':', "-")), &kind, &name, user);
            super::json::put(&mut bound, &["apiVersion"], "rbac.authorization.k8s.io/v1");
            super::json::put(&mut bound, &["kind"], format!("{kind}Binding"));
            if !namespace.is_empty() {
                super::json::put(&mut bound, &["metadata", "namespace"], namespace);
            }
            self.create(bound)?;
        }
        Ok(())
    }

    /// Takes one permission from a user, whatever the roles say.
    pub fn deny(&self, user: &str, permission: Permission) {
        self.with(|world| world.access.deny(user, permission));
    }

    /// Gives a user back what [`deny`](Self::deny) took.
    pub fn undo_denials(&self, user: &str) {
        self.with(|world| world.access.pardon(user));
    }

    /// Something goes wrong from now on. Of several faults that cover a request the first added strikes.
    pub fn add_fault(&self, fault: Fault) {
        self.with(|world| world.faults.script.push(fault));
    }

    /// The labels of the faults that have not struck as often as they should, with how often they still will.
    pub fn faults_left(&self) -> BTreeMap<String, u32> {
        let world = self.lock();
        let left = world.faults.script.iter().filter(|fault| fault.times > 0);
        left.map(|fault| (fault.label.clone(), fault.times)).collect()
    }

    /// Nothing of what was added goes wrong any more.
    pub fn clear_faults(&self) {
        self.with(|world| {
            world.faults.script.clear();
            world.faults.weather = Weather::default();
        });
    }

    /// From now on this goes wrong at random.
    pub fn set_weather(&self, weather: Weather) {
        self.with(|world| world.faults.weather = weather);
    }

    /// Lists cannot be continued any more, and watches cannot go back: what they name is forgotten.
    pub fn compact(&self) {
        self.with(|world| {
            world.snapshots.forget();
            world.store.compact();
        });
    }

    /// Lets a metrics server be there. It answers for the nodes that [`set_usage`](Self::set_usage) named; `broken`:
    /// it is registered, and answers 503.
    pub fn set_metrics_server(&self, there: bool, broken: bool) {
        self.with(|world| world.usage.broken = there.then_some(broken));
    }

    /// What a node uses: thousandths of a CPU, and bytes of memory.
    pub fn set_usage(&self, node: &str, cpu_milli: u64, memory: u64) {
        self.measured(node, cpu_milli, memory, None);
    }

    /// What a node used when it was last measured, so long ago; it is not measured again.
    pub fn set_usage_of(&self, node: &str, cpu_milli: u64, memory: u64, ago: Span) {
        self.measured(node, cpu_milli, memory, Some(self.now().before(ago)));
    }

    fn measured(&self, node: &str, cpu_milli: u64, memory: u64, at: Option<Timestamp>) {
        let measured = super::metrics::Measured { cpu_milli, memory, at };
        self.with(|world| world.usage.nodes.insert(node.to_owned(), measured));
    }

    /// Nothing is measured of a node any more.
    pub fn clear_usage(&self, node: &str) {
        self.with(|world| world.usage.nodes.remove(node));
    }

    /// Every request since the beginning, or since [`clear_log`](Self::clear_log).
    pub fn log(&self) -> Vec<Entry> {
        self.lock().journal.entries.clone()
    }

    /// Forgets the requests and their counts.
    pub fn clear_log(&self) {
        self.lock().journal = super::journal::Journal::default();
    }

    /// How often each thing was done, and how many bytes that took.
    pub fn counts(&self) -> BTreeMap<Permission, Count> {
        self.lock().journal.counts.clone()
    }

    /// What a user was allowed and did: the permissions that a run needs.
    pub fn permissions_used(&self, user: &str) -> BTreeSet<Permission> {
        self.lock().journal.used(user)
    }
}
