//! Evictions: deletions of pods that honour disruption budgets.

use serde_json::{Value, json};

use super::agenda::Task;
use super::index::condition;
use super::json::{array, list, number, put, slot, text, words};
use super::kinds::K;
use super::refusal::{Refusal, Result};
use super::store::Key;
use super::world::{World, Writer};
use super::write::preconditions;

const REFUSED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
const API_SERVER: Writer<'static> = ("kube-apiserver", Some("status"));

impl World {
    /// Lets a pod go, if its budget does.
    pub(super) fn evict(&mut self, key: &Key, body: &Value, dry: bool) -> Result<Value> {
        let info = self.info(K::PODS)?;
        let inner = words(body, "/metadata/name");
        if inner != key.name {
            let message =
                format!("name in URL does not match name in Eviction object: {} != {inner}", key.name);
            return Err(Refusal::bad_request(message));
        }
        let options = body.get("deleteOptions").cloned().unwrap_or_else(|| json!({}));
        let dry = dry || list(&options, "/dryRun").iter().any(|stage| stage.as_str() == Some("All"));
        let pod = self.find(K::PODS, &info, key)?;
        let idle = matches!(words(&pod, "/status/phase"), "Succeeded" | "Failed" | "Pending");
        if !idle && text(&pod, "/metadata/deletionTimestamp").is_none() {
            self.ask_budgets(key, &pod, dry)?;
        }
        // As in the real server the budget has been asked, and may have granted, when this is found out.
        preconditions(&info, &key.name, &options, &pod)?;
        if !dry {
            let now = self.now.to_string();
            self.update(K::PODS, key, API_SERVER, |pod| {
                let conditions = array(slot(pod, &["status", "conditions"]));
                if !conditions.iter().any(|at| words(at, "/type") == "DisruptionTarget") {
                    conditions.push(json!({
                        "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
                        "message": "Eviction API: evicting", "lastProbeTime": null, "lastTransitionTime": now,
                    }));
                }
            });
            let mut rest = options;
            super::json::take(&mut rest, &["preconditions", "resourceVersion"]);
            self.delete(K::PODS, key, &rest, false)?;
        }
        Ok(json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}))
    }

    fn ask_budgets(&mut self, key: &Key, pod: &Value, dry: bool) -> Result<()> {
        let budgets = self.budgets.of(key);
        let at = match budgets.as_slice() {
            [] => return Ok(()),
            [at] => at,
            _ => {
                let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does \
                               not support.";
                return Err(Refusal::new(500, "", message, Value::Null));
            }
        };
        let Some(budget) = self.store.get(K::BUDGETS, at).cloned() else { return Ok(()) };
        let status = |field: &str| number(&budget, &format!("/status/{field}")).unwrap_or_default();
        if condition(pod, "Ready") != Some("True") {
            let healthy =
                status("currentHealthy") >= status("desiredHealthy") && status("desiredHealthy") > 0;
            if healthy || words(&budget, "/spec/unhealthyPodEvictionPolicy") == "AlwaysAllow" {
                return Ok(());
            }
        }
        let name = &at.name;
        if status("observedGeneration") < number(&budget, "/metadata/generation").unwrap_or_default() {
            let cause = format!("The disruption budget {name} is still being processed by the server.");
            return Err(over_budget(&cause, 10));
        }
        if status("disruptionsAllowed") < 1 {
            let (needs, has) = (status("desiredHealthy"), status("currentHealthy"));
            let cause =
                format!("The disruption budget {name} needs {needs} healthy pods and has {has} currently");
            return Err(over_budget(&cause, 0));
        }
        if !dry {
            let (left, time) = (status("disruptionsAllowed") - 1, self.now.to_string());
            self.let_go(at, key);
            self.update(K::BUDGETS, at, API_SERVER, |budget| {
                put(budget, &["status", "disruptionsAllowed"], left);
                put(budget, &["status", "disruptedPods", &key.name], time);
            });
            self.react(Task::Budget(at.clone()));
        }
        Ok(())
    }
}

fn over_budget(cause: &str, seconds: u32) -> Box<Refusal> {
    let mut refusal = Refusal::too_many(REFUSED, seconds);
    let causes = json!([{"reason": "DisruptionBudget", "message": cause}]);
    put(&mut refusal.body, &["details", "causes"], causes);
    refusal
}
