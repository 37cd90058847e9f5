//! GET, PATCH and DELETE of a machine, and of what it leaves.

use serde_json::{Value, json};

use super::answer::Reply;
use super::operations::Ends;
use super::route::Call;
use super::world::{Machine, Part, State, World};

impl World {
    fn missing(&self, name: &str) -> Reply {
        let group = &self.settings.group;
        let message = format!(
            "The Resource 'Microsoft.Compute/virtualMachines/{name}' under resource group '{group}' was not found."
        );
        Reply::error(404, "ResourceNotFound", &message)
    }

    pub(super) fn get(&mut self, call: &Call, user: &str, name: &str) -> Reply {
        let id = self.id(name);
        if let Err(refused) = self.access.check(user, "Microsoft.Compute/virtualMachines/read", &id) {
            return *refused;
        }
        let expand = call.query("$expand").is_some_and(|what| what.eq_ignore_ascii_case("instanceView"));
        match self.find(name).cloned() {
            Some(machine) => Reply::json(200, self.shown(&machine, &machine.state, expand)),
            None => self.missing(name),
        }
    }

    pub(super) fn patch(&mut self, call: &Call, user: &str, name: &str) -> Reply {
        let id = self.id(name);
        if let Err(refused) = self.access.check(user, "Microsoft.Compute/virtualMachines/write", &id) {
            return *refused;
        }
        let Ok(patch) = serde_json::from_slice::<Value>(&call.body) else {
            return Reply::error(400, "InvalidRequestContent", "The request content was invalid.");
        };
        let Some(machine) = self.find(name) else { return self.missing(name) };
        if let (Some(tags), Some(body)) = (patch.get("tags"), machine.body.as_object_mut()) {
            body.insert("tags".to_owned(), tags.clone());
        }
        let machine = machine.clone();
        Reply::json(200, self.shown(&machine, &machine.state, false))
    }

    pub(super) fn delete(&mut self, call: &Call, user: &str, name: &str) -> Reply {
        let id = self.id(name);
        if let Err(refused) = self.access.check(user, "Microsoft.Compute/virtualMachines/delete", &id) {
            return *refused;
        }
        if self.locked.contains(&name.to_ascii_lowercase()) {
            let message = format!(
                "The scope '{id}' cannot perform delete operation because following scope(s) are locked: '{id}'. Please \
                 remove the lock and try again."
            );
            return Reply::error(409, "ScopeLocked", &message);
        }
        let (now, lag) = (self.now, self.settings.list_lag);
        let until = match self.find(name).map(|machine| &machine.state) {
            None => return Reply::empty(204),
            Some(State::Deleting { until }) => *until,
            Some(_) => now.after(self.settings.delete),
        };
        if let Some(machine) =
            self.find(name).filter(|machine| !matches!(machine.state, State::Deleting { .. }))
        {
            machine.turn(State::Deleting { until }, now, lag);
        }
        let operation = self.begin(until, Ends::Removed);
        self.polled(Reply::empty(202), call, operation, true)
    }

    pub(super) fn delete_part(&mut self, user: &str, part: Part) -> Reply {
        let (action, kind, name) = match &part {
            Part::Disk(name) => ("Microsoft.Compute/disks/delete", "Microsoft.Compute/disks", name),
            Part::Interface(name) => {
                ("Microsoft.Network/networkInterfaces/delete", "Microsoft.Network/networkInterfaces", name)
            }
        };
        let group = self.id("").split("/providers/").next().unwrap_or_default().to_owned();
        let id = format!("{group}/providers/{kind}/{name}");
        if let Err(refused) = self.access.check(user, action, &id) {
            return *refused;
        }
        match (self.parts.get(&part), &part) {
            (None, _) => Reply::empty(204),
            (Some(None), _) => {
                self.parts.remove(&part);
                Reply::empty(200)
            }
            (Some(Some(_)), Part::Disk(_)) => {
                Reply::error(409, "OperationNotAllowed", &format!("Disk {name} is attached to a VM."))
            }
            (Some(Some(_)), Part::Interface(_)) => Reply::error(
                400,
                "NicInUse",
                &format!("Network Interface {id} is used by an existing resource."),
            ),
        }
    }

    /// A machine as an answer shows it. Custom data is never given back.
    pub(super) fn shown(&self, machine: &Machine, state: &State, runtime: bool) -> Value {
        let mut shown = machine.body.clone();
        let created = super::answer::http_date(machine.created);
        let created = azure_core_021::date::parse_rfc1123(&created)
            .map(|time| azure_core_021::date::to_rfc3339(&time))
            .unwrap_or_default();
        let put = |object: Option<&mut Value>, key: &str, value: Value| {
            if let Some(object) = object.and_then(Value::as_object_mut) {
                object.insert(key.to_owned(), value);
            }
        };
        put(Some(&mut shown), "name", machine.name.clone().into());
        put(Some(&mut shown), "id", self.id(&machine.name).into());
        put(Some(&mut shown), "type", "Microsoft.Compute/virtualMachines".into());
        put(Some(&mut shown), "etag", format!("\"{}\"", machine.number).into());
        if shown.get("properties").is_none() {
            put(Some(&mut shown), "properties", json!({}));
        }
        let properties = shown.get_mut("properties");
        put(properties, "provisioningState", state.name().into());
        let properties = shown.get_mut("properties");
        put(properties, "vmId", format!("00000000-0000-0000-0000-{:012}", machine.number).into());
        put(shown.get_mut("properties"), "timeCreated", created.into());
        if let Some(system) = shown.pointer_mut("/properties/osProfile").and_then(Value::as_object_mut) {
            system.remove("customData");
        }
        if runtime {
            let mut statuses = vec![match state {
                State::Failed { code } => {
                    json!({ "code": format!("ProvisioningState/failed/{code}"), "level": "Error" })
                }
                other => {
                    json!({ "code": format!("ProvisioningState/{}", other.name().to_ascii_lowercase()), "level": "Info" })
                }
            }];
            if let Some(power) = machine.power {
                statuses.push(json!({ "code": format!("PowerState/{power}"), "level": "Info" }));
            }
            put(shown.get_mut("properties"), "instanceView", json!({ "statuses": statuses }));
        }
        shown
    }
}
