//! Lists, page by page.

use serde_json::{Value, json};

use super::answer::Reply;
use super::route::{Call, words};
use super::world::{Machine, State, World};

impl World {
    pub(super) fn list(&mut self, call: &Call, user: &str) -> Reply {
        let group = self.id("").split("/providers/").next().unwrap_or_default().to_owned();
        if let Err(refused) = self.access.check(user, "Microsoft.Compute/virtualMachines/read", &group) {
            return *refused;
        }
        let scale_set = match self.filter(call) {
            Ok(scale_set) => scale_set,
            Err(reply) => return *reply,
        };
        let expand = call.query("$expand");
        if expand.is_some() && scale_set.is_none() {
            return Reply::error(400, "BadRequest", "The $expand option needs a valid $filter.");
        }
        let skip: usize = match call.query("$skiptoken").map(|token| token.parse()) {
            None => 0,
            Some(Ok(skip)) => skip,
            Some(Err(_)) => return Reply::error(400, "BadRequest", "The $skiptoken is not valid."),
        };
        let member = |machine: &&Machine| {
            let of = words(&machine.body, "/properties/virtualMachineScaleSet/id");
            scale_set.as_ref().is_none_or(|wanted| of.is_some_and(|of| of.eq_ignore_ascii_case(wanted)))
        };
        let seen = self.machines.iter().filter(member);
        let mut rows: Vec<(&Machine, &State)> =
            seen.filter_map(|machine| Some((machine, machine.listed(self.now)?))).collect();
        // One row for each name: the newest machine that lists show.
        rows.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name).then(b.number.cmp(&a.number)));
        rows.dedup_by(|(later, _), (first, _)| later.name == first.name);
        let page = rows.iter().skip(skip).take(self.settings.page);
        let value: Vec<Value> =
            page.map(|(machine, state)| self.shown(machine, state, expand.is_some())).collect();
        let mut body = json!({ "value": value });
        let next = skip.saturating_add(self.settings.page);
        if next < rows.len() {
            let mut url = call.url.clone();
            let kept: Vec<(String, String)> = url
                .query_pairs()
                .filter(|(key, _)| key != "$skiptoken")
                .map(|(key, value)| (key.into_owned(), value.into_owned()))
                .collect();
            url.query_pairs_mut().clear().extend_pairs(kept).append_pair("$skiptoken", &next.to_string());
            if let Some(body) = body.as_object_mut() {
                body.insert("nextLink".to_owned(), url.to_string().into());
            }
        }
        Reply::json(200, body)
    }

    /// The scale set that a filter names.
    fn filter(&self, call: &Call) -> Result<Option<String>, Box<Reply>> {
        let Some(filter) = call.query("$filter") else { return Ok(None) };
        let id =
            filter.strip_prefix("'virtualMachineScaleSet/id' eq ").map(|id| id.trim().trim_matches('\''));
        match id {
            Some(id) if id.starts_with('/') => Ok(Some(id.to_owned())),
            _ => Err(Box::new(Reply::error(400, "BadRequest", "The $filter is not supported."))),
        }
    }
}
