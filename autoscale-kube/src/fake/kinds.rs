//! The kinds of objects that the server knows.

use std::sync::Arc;

use serde_json::Value;

/// What the server knows of a kind.
#[derive(Clone, Debug)]
pub(super) struct KindInfo {
    pub(super) group: String,
    pub(super) version: String,
    /// As in a path: `pods`.
    pub(super) plural: String,
    /// As in an object: `Pod`.
    pub(super) kind: String,
    pub(super) namespaced: bool,
    /// Whether its status is written through a path of its own.
    pub(super) status: bool,
    /// Whether the server counts changes of its spec.
    pub(super) generation: bool,
    /// Whether an answer to a deletion carries the object.
    pub(super) shows_deleted: bool,
    /// Of a CustomResourceDefinition: its schema.
    pub(super) custom: Option<Value>,
}

impl KindInfo {
    /// As in an object: `apps/v1`.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// As in a message: `leases.coordination.k8s.io`.
    pub(super) fn resource(&self) -> String {
        qualified(&self.plural, &self.group)
    }

    /// As in a message about one object: `Lease.coordination.k8s.io`.
    pub(super) fn qualified_kind(&self) -> String {
        qualified(&self.kind, &self.group)
    }
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// Where a kind stands in the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct K(pub(super) usize);

const NAMESPACED: u8 = 1;
const STATUS: u8 = 2;
const GENERATION: u8 = 4;
const SHOWS_DELETED: u8 = 8;
const WORKLOAD: u8 = NAMESPACED | STATUS | GENERATION;

macro_rules! kinds {
    ($($name:ident = $at:literal $group:literal $version:literal $plural:literal $kind:literal $flags:expr;)*) => {
        #[expect(dead_code, reason = "most kinds are only stored")]
        impl K { $(pub(super) const $name: Self = Self($at);)* }
        const TABLE: &[(usize, &str, &str, &str, &str, u8)] = &[$(($at, $group, $version, $plural, $kind, $flags),)*];
    };
}

kinds! {
    NODES = 0 "" "v1" "nodes" "Node" STATUS;
    PODS = 1 "" "v1" "pods" "Pod" WORKLOAD | SHOWS_DELETED;
    NAMESPACES = 2 "" "v1" "namespaces" "Namespace" STATUS | SHOWS_DELETED;
    SERVICE_ACCOUNTS = 3 "" "v1" "serviceaccounts" "ServiceAccount" NAMESPACED | SHOWS_DELETED;
    BUDGETS = 4 "policy" "v1" "poddisruptionbudgets" "PodDisruptionBudget" WORKLOAD;
    LEASES = 5 "coordination.k8s.io" "v1" "leases" "Lease" NAMESPACED;
    CORE_EVENTS = 6 "" "v1" "events" "Event" NAMESPACED;
    EVENTS = 7 "events.k8s.io" "v1" "events" "Event" NAMESPACED;
    DEPLOYMENTS = 8 "apps" "v1" "deployments" "Deployment" WORKLOAD;
    REPLICA_SETS = 9 "apps" "v1" "replicasets" "ReplicaSet" WORKLOAD;
    STATEFUL_SETS = 10 "apps" "v1" "statefulsets" "StatefulSet" WORKLOAD;
    DAEMON_SETS = 11 "apps" "v1" "daemonsets" "DaemonSet" WORKLOAD;
    JOBS = 12 "batch" "v1" "jobs" "Job" WORKLOAD;
    CONTROLLERS = 13 "" "v1" "replicationcontrollers" "ReplicationController" WORKLOAD;
    ATTACHMENTS = 14 "storage.k8s.io" "v1" "volumeattachments" "VolumeAttachment" STATUS;
    VOLUMES = 15 "" "v1" "persistentvolumes" "PersistentVolume" STATUS | SHOWS_DELETED;
    CLAIMS = 16 "" "v1" "persistentvolumeclaims" "PersistentVolumeClaim" NAMESPACED | STATUS | SHOWS_DELETED;
    PRIORITY_CLASSES = 17 "scheduling.k8s.io" "v1" "priorityclasses" "PriorityClass" GENERATION;
    DEFINITIONS = 18 "apiextensions.k8s.io" "v1" "customresourcedefinitions" "CustomResourceDefinition" STATUS | GENERATION;
    CLUSTER_ROLES = 19 "rbac.authorization.k8s.io" "v1" "clusterroles" "ClusterRole" 0;
    CLUSTER_ROLE_BINDINGS = 20 "rbac.authorization.k8s.io" "v1" "clusterrolebindings" "ClusterRoleBinding" 0;
    ROLES = 21 "rbac.authorization.k8s.io" "v1" "roles" "Role" NAMESPACED;
    ROLE_BINDINGS = 22 "rbac.authorization.k8s.io" "v1" "rolebindings" "RoleBinding" NAMESPACED;
    CONFIG_MAPS = 23 "" "v1" "configmaps" "ConfigMap" NAMESPACED;
    STORAGE_CLASSES = 24 "storage.k8s.io" "v1" "storageclasses" "StorageClass" 0;
    NODE_METRICS = 25 "metrics.k8s.io" "v1beta1" "nodes" "NodeMetrics" 0;
}

/// Every kind, those of CustomResourceDefinitions at the end.
#[derive(Debug)]
pub(super) struct Kinds(Vec<Arc<KindInfo>>);

impl Kinds {
    pub(super) fn new() -> Self {
        let info = |&(_, group, version, plural, kind, flags): &(_, &str, &str, &str, &str, u8)| KindInfo {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            kind: kind.to_owned(),
            namespaced: flags & NAMESPACED != 0,
            status: flags & STATUS != 0,
            generation: flags & GENERATION != 0,
            shows_deleted: flags & SHOWS_DELETED != 0,
            custom: None,
        };
        Self(TABLE.iter().map(info).map(Arc::new).collect())
    }

    pub(super) fn get(&self, kind: K) -> Option<Arc<KindInfo>> {
        self.0.get(kind.0).cloned()
    }

    pub(super) fn find(&self, group: &str, version: &str, plural: &str) -> Option<K> {
        let same =
            |info: &Arc<KindInfo>| info.plural == plural && info.group == group && info.version == version;
        self.0.iter().position(same).map(K)
    }

    /// By the names in an object.
    pub(super) fn of_object(&self, api_version: &str, kind: &str) -> Option<K> {
        self.0.iter().position(|info| info.kind == kind && info.api_version() == api_version).map(K)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds that of a CustomResourceDefinition, or takes its new schema.
    pub(super) fn add(&mut self, info: KindInfo) {
        match self.find(&info.group, &info.version, &info.plural).and_then(|kind| self.0.get_mut(kind.0)) {
            Some(known) => *known = Arc::new(info),
            None => self.0.push(Arc::new(info)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_places() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(row.0, place, "{row:?}");
        }
        let kinds = Kinds::new();
        assert_eq!(kinds.find("policy", "v1", "poddisruptionbudgets"), Some(K::BUDGETS));
        assert_eq!(kinds.of_object("apps/v1", "ReplicaSet"), Some(K::REPLICA_SETS));
        assert_eq!(kinds.find("policy", "v1", "pods"), None);
    }
}
