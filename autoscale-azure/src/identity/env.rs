//! Which credential a program's environment asks for.

use std::sync::Arc;

use autoscale_core::ports::{Clock, Error, ErrorKind, Result};
use azure_core::credentials::Secret;

use super::{Credential, SecretSource};

/// The variable that says which way.
const WAY: &str = "AUTOSCALE_AZURE_IDENTITY";

/// What the environment asks for.
#[derive(Debug)]
enum Asked {
    Managed(Option<String>),
    Workload,
    Principal { tenant: String, client: String, secret: SecretSource },
    Developer,
}

impl Credential {
    /// As the environment says; `read` gives a variable, such as `|name| std::env::var(name).ok()`.
    ///
    /// `AUTOSCALE_AZURE_IDENTITY` is `managed` (with `AZURE_CLIENT_ID`, if the host has several), `workload`, `service-principal`
    /// (`AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, and `AZURE_CLIENT_SECRET_FILE` or `AZURE_CLIENT_SECRET`) or `developer`.
    ///
    /// # Errors
    /// `Invalid`: everything that is missing, at once.
    pub fn from_env(read: impl Fn(&str) -> Option<String>, clock: Arc<dyn Clock>) -> Result<Self> {
        match asked(read)
            .map_err(|why| Error::new(ErrorKind::Invalid, format!("choose a credential: {why}")))?
        {
            Asked::Managed(client) => Self::managed(client, clock),
            Asked::Workload => Self::workload(clock),
            Asked::Principal { tenant, client, secret } => {
                Self::service_principal(tenant, client, secret, clock)
            }
            Asked::Developer => Self::developer(clock),
        }
    }
}

fn asked(read: impl Fn(&str) -> Option<String>) -> Result<Asked, String> {
    let read = |name: &str| read(name).filter(|value| !value.trim().is_empty());
    match read(WAY).as_deref() {
        Some("managed") => Ok(Asked::Managed(read("AZURE_CLIENT_ID"))),
        Some("workload") => Ok(Asked::Workload),
        Some("developer") => Ok(Asked::Developer),
        Some("service-principal") => {
            let file = read("AZURE_CLIENT_SECRET_FILE").map(|path| SecretSource::File(path.into()));
            let given = || read("AZURE_CLIENT_SECRET").map(|text| SecretSource::Given(Secret::new(text)));
            match (read("AZURE_TENANT_ID"), read("AZURE_CLIENT_ID"), file.or_else(given)) {
                (Some(tenant), Some(client), Some(secret)) => Ok(Asked::Principal { tenant, client, secret }),
                (tenant, client, secret) => {
                    let missing = [
                        (tenant.is_none(), "AZURE_TENANT_ID"),
                        (client.is_none(), "AZURE_CLIENT_ID"),
                        (secret.is_none(), "AZURE_CLIENT_SECRET_FILE or AZURE_CLIENT_SECRET"),
                    ];
                    let missing = missing.into_iter().filter(|(none, _)| *none).map(|(_, name)| name);
                    Err(format!("service-principal needs {}", missing.collect::<Vec<_>>().join(", ")))
                }
            }
        }
        other => {
            let found = other.map_or_else(|| "it is not set".to_owned(), |other| format!("found {other:?}"));
            Err(format!("{WAY}: {found}; expected managed, workload, service-principal or developer"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(variables: &[(&str, &str)]) -> String {
        let read = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        match super::asked(read) {
            Ok(asked) => format!("{asked:?}"),
            Err(why) => why,
        }
    }

    #[test]
    fn the_environment_names_one_way() {
        let principal = (WAY, "service-principal");
        let ids = [principal, ("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];
        for (variables, expected) in [
            (&[(WAY, "managed")][..], "Managed(None)"),
            (&[(WAY, "managed"), ("AZURE_CLIENT_ID", "c")], "Managed(Some(\"c\"))"),
            (&[(WAY, "workload")], "Workload"),
            (&[(WAY, "developer")], "Developer"),
            (
                &[],
                "AUTOSCALE_AZURE_IDENTITY: it is not set; expected managed, workload, service-principal or developer",
            ),
            (
                &[(WAY, "me")],
                "AUTOSCALE_AZURE_IDENTITY: found \"me\"; expected managed, workload, service-principal or developer",
            ),
            (
                &[principal, ("AZURE_CLIENT_ID", " ")],
                "service-principal needs AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET_FILE or AZURE_CLIENT_SECRET",
            ),
        ] {
            assert_eq!(asked(variables), expected);
        }
        let given = asked(&[&ids[..], &[("AZURE_CLIENT_SECRET", "canary")]].concat());
        assert!(given.contains("Given(..)") && !given.contains("canary"), "{given}");
        let both = [("AZURE_CLIENT_SECRET", "canary"), ("AZURE_CLIENT_SECRET_FILE", "secret.txt")];
        assert!(asked(&[&ids[..], &both[..]].concat()).contains("File(\"secret.txt\")"));
    }
}
