//! Who may do what: custom roles at scopes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::answer::Reply;

/// Everybody's roles. A user without any may do everything.
#[derive(Debug, Default)]
pub(super) struct Access {
    grants: BTreeMap<String, Vec<(String, Vec<String>)>>,
    denied: BTreeSet<(String, String)>,
    used: BTreeMap<String, BTreeSet<String>>,
}

impl Access {
    pub(super) fn grant(&mut self, user: &str, role: &Value, scope: &str) {
        let actions =
            ["/Actions", "/properties/permissions/0/actions"].into_iter().find_map(|at| role.pointer(at));
        let actions = actions.and_then(Value::as_array).into_iter().flatten();
        let actions = actions.filter_map(Value::as_str).map(str::to_ascii_lowercase).collect();
        self.grants.entry(user.to_owned()).or_default().push((scope.to_ascii_lowercase(), actions));
    }

    pub(super) fn deny(&mut self, user: &str, action: &str) {
        self.denied.insert((user.to_owned(), action.to_ascii_lowercase()));
    }

    pub(super) fn used(&self, user: &str) -> BTreeSet<String> {
        self.used.get(user).cloned().unwrap_or_default()
    }

    fn may(&mut self, user: &str, action: &str, scope: &str) -> bool {
        let (lower, scope) = (action.to_ascii_lowercase(), scope.to_ascii_lowercase());
        let below = |granted: &str| {
            let rest = scope.strip_prefix(granted.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let granted = match self.grants.get(user) {
            None => true,
            Some(grants) => grants.iter().any(|(at, actions)| below(at) && actions.contains(&lower)),
        };
        let may = granted && !self.denied.contains(&(user.to_owned(), lower));
        if may {
            self.used.entry(user.to_owned()).or_default().insert(action.to_owned());
        }
        may
    }

    /// The refusal, if a user may not do something at a scope.
    pub(super) fn check(&mut self, user: &str, action: &str, scope: &str) -> Result<(), Box<Reply>> {
        if self.may(user, action, scope) {
            return Ok(());
        }
        let message = format!(
            "The client '{user}' with object id '{user}' does not have authorization to perform action '{action}' over \
             scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
        );
        Err(Box::new(Reply::error(403, "AuthorizationFailed", &message)))
    }

    /// The same for what a machine is linked to.
    pub(super) fn check_link(
        &mut self,
        user: &str,
        (own, at): (&str, &str),
        action: &str,
        scope: &str,
    ) -> Result<(), Box<Reply>> {
        if self.may(user, action, scope) {
            return Ok(());
        }
        let message = format!(
            "The client '{user}' with object id '{user}' has permission to perform action '{own}' on scope '{at}'; however, \
             it does not have permission to perform action(s) '{action}' on the linked scope(s) '{scope}' (respectively) or \
             the linked scope(s) are invalid."
        );
        Err(Box::new(Reply::error(403, "LinkedAuthorizationFailed", &message)))
    }
}
