//! PUT of a machine.

use serde_json::Value;

use super::answer::Reply;
use super::operations::Ends;
use super::route::{Call, words};
use super::world::{Part, State, World};

const WRITE: &str = "Microsoft.Compute/virtualMachines/write";

impl World {
    pub(super) fn create(&mut self, call: &Call, user: &str, name: &str) -> Reply {
        match self.try_create(call, user, name) {
            Ok(reply) => reply,
            Err(reply) => *reply,
        }
    }

    fn try_create(&mut self, call: &Call, user: &str, name: &str) -> Result<Reply, Box<Reply>> {
        let refuse = |status, code: &str, message: &str| Err(Box::new(Reply::error(status, code, message)));
        let own = self.id(name);
        self.access.check(user, WRITE, &own)?;
        let Ok(body) = serde_json::from_slice::<Value>(&call.body) else {
            return refuse(
                400,
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized.",
            );
        };
        self.check_links(user, &own, &body)?;
        match call.if_none_match.as_deref() {
            None | Some("*") => {}
            Some(_) => {
                return refuse(
                    400,
                    "InvalidHeaderValue",
                    "The If-None-Match header has an unsupported value.",
                );
            }
        }
        if let Some(state) = self.find(name).map(|machine| machine.state.clone()) {
            if call.if_none_match.is_some() {
                let message =
                    format!("The resource {own} exists, and the If-None-Match condition is not met.");
                return refuse(412, "PreconditionFailed", &message);
            }
            if matches!(state, State::Creating { .. } | State::Deleting { .. }) {
                let message =
                    format!("The request failed due to conflict with a concurrent request on '{own}'.");
                return refuse(409, "Conflict", &message);
            }
            return self.replace(call, name, body);
        }
        self.validate(name, &body)
            .map_err(|message| Box::new(Reply::error(400, "InvalidParameter", &message)))?;
        let disk = words(&body, "/properties/storageProfile/osDisk/name").unwrap_or_default().to_owned();
        if self.parts.contains_key(&Part::Disk(disk.clone())) {
            let message = format!(
                "Disk {disk} already exists in resource group {}. Only CreateOption.Attach is supported.",
                self.settings.group.to_ascii_uppercase()
            );
            return refuse(409, "ConflictingUserInput", &message);
        }
        let short = self.shortages.iter().find(|shortage| shortage.covers(&body)).cloned();
        if let Some(shortage) = short.as_ref().filter(|shortage| !shortage.late) {
            return Err(Box::new(shortage.refusal()));
        }
        let fails = short.map(|shortage| (shortage.code, shortage.message));
        let until = self.now.after(self.settings.create);
        let interface = words(&body, "/properties/networkProfile/networkInterfaceConfigurations/0/name");
        let interface = interface.map(|name| Part::Interface(name.to_owned()));
        let number = self.add(name, body, State::Creating { until, fails: fails.clone() });
        for part in interface.into_iter().chain([Part::Disk(disk)]) {
            self.parts.insert(part, Some(number));
        }
        let operation = self.begin(until, Ends::Made { fails });
        let body = self
            .find(name)
            .map(|machine| machine.clone())
            .map(|machine| self.shown(&machine, &machine.state, false));
        let reply = Reply { body, ..Reply::empty(201) };
        Ok(self.polled(reply, call, operation, false))
    }

    /// What a machine is linked to has to be allowed, too.
    fn check_links(&mut self, user: &str, own: &str, body: &Value) -> Result<(), Box<Reply>> {
        let group = own.split("/providers/").next().unwrap_or_default().to_owned();
        let mut links: Vec<(&str, String)> = Vec::new();
        let text = |at: &str| words(body, at).map(str::to_owned);
        let configuration = "/properties/networkProfile/networkInterfaceConfigurations/0";
        if let Some(name) = text(&format!("{configuration}/name")) {
            let id = format!("{group}/providers/Microsoft.Network/networkInterfaces/{name}");
            links.push(("Microsoft.Network/networkInterfaces/write", id.clone()));
            links.push(("Microsoft.Network/networkInterfaces/join/action", id));
        }
        if let Some(id) = text(&format!("{configuration}/properties/ipConfigurations/0/properties/subnet/id"))
        {
            links.push(("Microsoft.Network/virtualNetworks/subnets/join/action", id));
        }
        if let Some(id) = text(&format!("{configuration}/properties/networkSecurityGroup/id")) {
            links.push(("Microsoft.Network/networkSecurityGroups/join/action", id));
        }
        if let Some(name) = text("/properties/storageProfile/osDisk/name") {
            let id = format!("{group}/providers/Microsoft.Compute/disks/{name}");
            links.push(("Microsoft.Compute/disks/write", id));
        }
        if let Some(id) = text("/properties/storageProfile/imageReference/id") {
            let action = match id.to_ascii_lowercase().contains("/versions/") {
                true => "Microsoft.Compute/galleries/images/versions/read",
                false => "Microsoft.Compute/galleries/images/read",
            };
            links.push((action, id));
        }
        if let Some(id) = text("/properties/virtualMachineScaleSet/id") {
            links.push(("Microsoft.Compute/virtualMachineScaleSets/write", id));
        }
        let identities = body.pointer("/identity/userAssignedIdentities").and_then(Value::as_object);
        for id in identities.into_iter().flat_map(|all| all.keys()) {
            links.push(("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", id.clone()));
        }
        links.into_iter().try_for_each(|(action, id)| self.access.check_link(user, (WRITE, own), action, &id))
    }

    /// What is wrong with the body of a machine.
    fn validate(&self, name: &str, body: &Value) -> Result<(), String> {
        let wrong = |at: &str, why: &str| Err(format!("The value of parameter {at} is invalid: {why}"));
        let named = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            && !name.ends_with(['-', '.']);
        if !named {
            return wrong("vmName", "1 to 64 letters, digits, dots, dashes and underscores");
        }
        let location = words(body, "/location").unwrap_or_default().to_ascii_lowercase().replace(' ', "");
        if location != self.settings.location {
            return wrong(
                "location",
                "it is not available for resource type 'Microsoft.Compute/virtualMachines'",
            );
        }
        let size = words(body, "/properties/hardwareProfile/vmSize").unwrap_or_default();
        if !self.settings.sizes.iter().any(|known| known.eq_ignore_ascii_case(size)) {
            return wrong("vmSize", size);
        }
        let zones = body.get("zones").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let known =
            |zone: &Value| zone.as_str().is_some_and(|zone| self.settings.zones.iter().any(|z| z == zone));
        if zones.len() > 1 || !zones.iter().all(known) {
            return wrong("zones", "at most one zone of the location");
        }
        for at in
            ["/properties/storageProfile/imageReference", "/properties/storageProfile/osDisk/createOption"]
        {
            if body.pointer(at).is_none() {
                return wrong(at, "it is required");
            }
        }
        for at in ["/properties/osProfile/adminUsername", "/properties/osProfile/computerName"] {
            if words(body, at).is_none_or(str::is_empty) {
                return wrong(at, "it is required");
            }
        }
        let network = |key: &str| body.pointer(&format!("/properties/networkProfile/{key}/0"));
        if network("networkInterfaceConfigurations").or_else(|| network("networkInterfaces")).is_none() {
            return wrong("networkProfile", "it is required");
        }
        if network("networkInterfaceConfigurations").is_some()
            && words(body, "/properties/networkProfile/networkApiVersion").is_none()
        {
            return wrong("networkApiVersion", "it is required with networkInterfaceConfigurations");
        }
        let spot = words(body, "/properties/priority") == Some("Spot");
        if !spot && words(body, "/properties/evictionPolicy").is_some() {
            return wrong("evictionPolicy", "it is for machines of priority Spot");
        }
        if body.get("tags").and_then(Value::as_object).is_some_and(|tags| tags.len() > 50) {
            return wrong("tags", "at most 50");
        }
        Ok(())
    }

    /// An update of a machine that is there.
    fn replace(&mut self, call: &Call, name: &str, body: Value) -> Result<Reply, Box<Reply>> {
        let same = |at: &str, old: &Value| old.pointer(at) == body.pointer(at);
        let Some(machine) = self.find(name) else { return Ok(Reply::empty(500)) };
        if !same("/zones", &machine.body) || !same("/properties/priority", &machine.body) {
            let message = "Changing property 'zones' or 'priority' is not allowed.";
            return Err(Box::new(Reply::error(409, "PropertyChangeNotAllowed", message)));
        }
        machine.body = body;
        let machine = machine.clone();
        let reply = Reply::json(200, self.shown(&machine, &machine.state, false));
        let (now, ends) = (self.now, Ends::Made { fails: None });
        let operation = self.begin(now, ends);
        Ok(self.polled(reply, call, operation, false))
    }
}
