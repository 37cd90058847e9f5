//! What a survey takes from the cache, and when it must not.

use std::collections::BTreeSet;

use autoscale_core::data::view::{Node, Ready, Scope};
use autoscale_core::ports::Error;
use autoscale_core::words::{NodeName, Timestamp};

use super::Cache;
use super::follow::{Broken, ask, number, within};
use super::kinds::Kind;
use super::mirror::{Key, Mirror};
use crate::drain::budget::{Budgets, RawBudget};
use crate::drain::meta::{Bare, Page};
use crate::drain::owners::{Names, Uids};
use crate::drain::place::Place;
use crate::drain::pod::Drafts;
use crate::drain::survey::{FEW_NODES, Survey};
use crate::drain::volumes::Places;

/// How new facts have to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Need {
    /// Not older than the survey.
    Now,
    /// As new as they get within a short time, and not too old.
    Soon,
    /// Not too old.
    Recent,
}

impl Cache {
    /// Since when at the latest what is kept of a kind is true, if it may be used for a survey that begins now.
    async fn as_of<K: Kind>(&self, mirror: &Mirror<K>, need: Need) -> Option<Timestamp> {
        mirror.want();
        let before = mirror.version()?;
        if mirror.len() <= self.wire.config.page.max(1) as usize {
            return None;
        }
        let (version, now) = self.ask_version(mirror).await.ok()?;
        // Its storage was put back to an earlier state: what is kept may never have been.
        if version < before {
            mirror.lose();
            return None;
        }
        mirror.prove(version, now);
        let recent = || mirror.at().filter(|at| now.since(*at) <= self.config.max_age);
        if need == Need::Recent
            && let Some(at) = recent()
        {
            return Some(at);
        }
        match within(&*self.wire.clock, self.config.catch_up, mirror.reached(version)).await {
            Some(()) => Some(now),
            None if need == Need::Now => None,
            None => recent(),
        }
    }

    /// The version that a kind has now, and the server's time.
    async fn ask_version<K: Kind>(&self, mirror: &Mirror<K>) -> Result<(u64, Timestamp), Broken> {
        let action = format!("list {}", mirror.kind.resource());
        let began = self.wire.clock.now();
        let answer = ask(&self.wire, &mirror.kind.path(), &[("limit", "1")], &action).await?;
        let page: Page<Bare> =
            answer.parse().map_err(|error| Broken::Failed(format!("{action}: {error}")))?;
        Ok((number(&page.metadata.resource_version, &action)?, answer.date.unwrap_or(began)))
    }

    /// Every node, as new as the survey.
    pub(in crate::drain) async fn nodes(&self, survey: &Survey<'_>) -> Option<Vec<Option<Node>>> {
        let at = self.as_of(&self.nodes, Need::Now).await?;
        let nodes = self.nodes.read(|all| all.map(|(_, node)| node.clone()).collect())?;
        survey.note(at);
        Some(nodes)
    }

    pub(in crate::drain) async fn budgets(&self, survey: &Survey<'_>) -> Option<Vec<RawBudget>> {
        let at = self.as_of(&self.budgets, Need::Recent).await?;
        let budgets = self.budgets.read(|all| all.map(|(_, budget)| budget.clone()).collect())?;
        survey.note(at);
        Some(budgets)
    }

    /// How new the pods are that are kept, if they may be used.
    pub(in crate::drain) async fn pods_as_of(&self) -> Option<Timestamp> {
        self.as_of(&self.pods, Need::Soon).await
    }

    /// The pods of a scope: those that are kept, and those that were listed for this survey. `None`: all have to be listed.
    pub(in crate::drain) async fn pods(
        &self,
        survey: &Survey<'_>,
        at: Timestamp,
        scope: &Scope,
        nodes: &[Node],
        budgets: &Budgets,
    ) -> Result<Option<(Drafts, Drafts)>, Error> {
        let listed = to_list(scope, nodes);
        // Node by node only as long as that takes fewer requests than everything.
        let page = self.wire.config.page.max(1) as usize;
        if listed.len() > FEW_NODES.max(self.pods.len() / page) {
            return Ok(None);
        }
        let fresh = survey.on_nodes(listed.iter().cloned().collect(), budgets).await?;
        let wanted = |node: Option<&NodeName>| match node {
            None => true,
            Some(node) => *scope == Scope::Everything && !listed.contains(node),
        };
        let kept = self.pods.read(|all| {
            // All of them have room from the start: a vector that grows is there twice.
            let most = if *scope == Scope::Everything { all.size_hint().0 + fresh.pods.len() } else { 0 };
            let mut kept = Drafts::with_capacity(most);
            let all = all.filter(|(_, pod)| wanted(pod.draft.pod.node.as_ref()));
            kept.extend(all.map(|(_, pod)| {
                let mut draft = pod.draft.clone();
                draft.pod.budgets = budgets.select(&draft.pod.namespace, &pod.labels);
                draft
            }));
            kept
        });
        let Some(kept) = kept else { return Ok(None) };
        survey.note(at);
        Ok(Some((kept, fresh)))
    }

    /// The controllers of a kind that are there among those that are asked for; `None`: they have to be looked up.
    pub(in crate::drain) async fn controllers(
        &self,
        survey: &Survey<'_>,
        number: usize,
        names: &Names,
    ) -> Option<Uids> {
        let mirror = self.controllers.get(number)?;
        let at = self.as_of(mirror, Need::Recent).await?;
        let found = mirror
            .find(keys(names).iter(), |key, uid| ((key.0.to_string(), key.1.to_string()), uid.to_string()))?;
        survey.note(at);
        Some(found.into_iter().collect())
    }

    /// Where the volumes of claims are, of those that are there; `None`: they have to be looked up.
    pub(in crate::drain) async fn places(&self, survey: &Survey<'_>, wanted: &Names) -> Option<Places> {
        self.volumes.want();
        let claimed = self.as_of(&self.claims, Need::Recent).await?;
        let names = keys(wanted);
        let claims = self.claims.find(names.iter(), |key, volume| (key.clone(), volume.clone()))?;
        let volumes = self.as_of(&self.volumes, Need::Recent).await?;
        let volume = |name: &str| -> Option<Option<Place>> {
            let key: Key = ("".into(), name.into());
            Some(self.volumes.find(std::iter::once(&key), |_, place| place.clone())?.pop())
        };
        let mut places = Places::new();
        for ((namespace, name), bound) in claims {
            let place = if bound.is_empty() { Some(Place::default()) } else { volume(&bound)? };
            places.insert((namespace.into(), name.into()), place);
        }
        survey.note(claimed.min(volumes));
        Some(places)
    }
}

fn keys(names: &Names) -> Vec<Key> {
    names.iter().map(|(namespace, name)| (namespace.as_str().into(), name.as_str().into())).collect()
}

/// The nodes whose pods must not come from the cache.
fn to_list(scope: &Scope, nodes: &[Node]) -> BTreeSet<NodeName> {
    match scope {
        Scope::Everything => {
            let closed =
                |node: &&Node| node.unschedulable || node.cordon.is_some() || node.ready != Ready::Yes;
            nodes.iter().filter(closed).map(|node| node.name.clone()).collect()
        }
        Scope::Nodes(named) => named.iter().cloned().collect(),
        _ => BTreeSet::new(),
    }
}
