//! The database, the role that the programs log in as, and what is in the database. The role reads and writes rows; who applies this owns
//! everything, and alone may change the schema.

use async_trait::async_trait;
use docmill_catalog::{
    CatalogError, PostgresConfig,
    administer::{self, Administrator},
};
use docmill_domain::options::Secret;
use serde_json::{Value, json};

use crate::resource::{Error, Group, Observed, Removal, Resource};

/// How to reach the server: as the programs, and as whoever owns what they use.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) programs: PostgresConfig,
    pub(crate) owner: PostgresConfig,
    /// A database that is always there, to make the other one from.
    pub(crate) maintenance: String,
}

/// One thing of the server.
pub(crate) struct Database {
    pub(crate) server: Server,
    pub(crate) part: Part,
}

#[derive(Clone, Copy)]
pub(crate) enum Part {
    Database,
    Role,
    /// What the role may do in the schema, and with tables to come: before there are any.
    SchemaGrants,
    Schema,
    TableGrants,
}

impl Part {
    /// What there is to make by a role that is not the programs' own.
    pub(crate) const BY_AN_OWNER: [Self; 5] = [Self::Database, Self::Role, Self::SchemaGrants, Self::Schema, Self::TableGrants];
}

impl Server {
    /// The server, by the owner's name and password where there are any.
    pub(crate) fn new(programs: &PostgresConfig, user: Option<&str>, password: Option<&Secret>, maintenance: &str) -> Self {
        let mut owner = programs.clone();
        if let Some(user) = user {
            owner.user = user.to_owned();
        }
        if let Some(password) = password {
            (owner.password, owner.password_file, owner.iam_auth) = (Some(password.clone()), None, false);
        }
        Self { programs: programs.clone(), owner, maintenance: maintenance.to_owned() }
    }

    /// Whether the programs log in as someone else than whoever owns what they use.
    pub(crate) fn has_owner(&self) -> bool {
        self.owner.user != self.programs.user
    }

    async fn administrator(&self, database: &str) -> Result<Administrator, Error> {
        let config = PostgresConfig { database: database.to_owned(), ..self.owner.clone() };
        Administrator::connect(&config).await.map_err(explained)
    }

    /// The administrator of the programs' database; `None` where there is no such database yet.
    async fn inside(&self) -> Result<Option<Administrator>, Error> {
        let database = &self.programs.database;
        if !self.administrator(&self.maintenance).await?.has_database(database).await.map_err(explained)? {
            return Ok(None);
        }
        self.administrator(database).await.map(Some)
    }

    async fn role(&self) -> Result<Option<Value>, Error> {
        let user = &self.programs.user;
        let Some(role) = self.administrator(&self.maintenance).await?.role(user).await.map_err(explained)? else {
            return Ok(None);
        };
        let mut value = serde_json::to_value(&role).unwrap_or_default();
        if self.programs.iam_auth {
            // Whoever may log in by IAM is for AWS to know.
            return Ok(Some(value));
        }
        // Only the server can tell whether this is the password: by letting the role in.
        let as_the_programs = PostgresConfig { database: self.maintenance.clone(), ..self.programs.clone() };
        let right = administer::lets_in(&as_the_programs).await.map_err(explained)?;
        value["password"] = json!(if right { "as configured" } else { "another one" });
        Ok(Some(value))
    }
}

#[async_trait(?Send)]
impl Resource for Database {
    fn name(&self) -> String {
        let (database, user) = (&self.server.programs.database, &self.server.programs.user);
        match self.part {
            Part::Database => format!("database {database}"),
            Part::Role => format!("role {user}"),
            Part::SchemaGrants => format!("role {user}: rights in database {database}"),
            Part::Schema => format!("database {database}: schema"),
            Part::TableGrants => format!("role {user}: rights on the tables of {database}"),
        }
    }

    fn group(&self) -> Group {
        if matches!(self.part, Part::Database | Part::Role) { Group::Database } else { Group::Schema }
    }

    async fn observe(&self) -> Result<Observed, Error> {
        Ok(self.found().await?.map_or(Observed::Absent, |found| Observed::compared(&self.desired(), &found)))
    }

    async fn make(&self) -> Result<(), Error> {
        let Server { programs, owner, maintenance } = &self.server;
        let made = match self.part {
            Part::Schema => administer::migrate(owner).await,
            Part::Database => self.server.administrator(maintenance).await?.create_database(&programs.database).await,
            Part::Role => {
                let password = self.password()?;
                let mut administrator = self.server.administrator(maintenance).await?;
                administrator.put_role(&programs.user, password.as_ref(), programs.iam_auth).await
            }
            Part::SchemaGrants => self.server.administrator(&programs.database).await?.grant_schema(&programs.user).await,
            Part::TableGrants => self.server.administrator(&programs.database).await?.grant_tables(&programs.user).await,
        };
        made.map_err(explained)
    }

    fn removal(&self) -> Removal {
        match self.part {
            Part::Database => Removal::Data(self.server.programs.database.clone()),
            Part::Role => Removal::Harmless,
            _ => Removal::WithAnother,
        }
    }

    async fn remove(&self) -> Result<(), Error> {
        let Server { programs, maintenance, .. } = &self.server;
        let removed = match self.part {
            Part::Database => self.server.administrator(maintenance).await?.drop_database(&programs.database).await,
            // Its rights have to go first, and they are in the database.
            Part::Role => match self.server.inside().await? {
                Some(mut inside) => inside.drop_role(&programs.user).await,
                None => self.server.administrator(maintenance).await?.drop_role(&programs.user).await,
            },
            _ => Ok(()),
        };
        removed.map_err(explained)
    }
}

impl Database {
    /// What is found when all is well.
    fn desired(&self) -> Value {
        match self.part {
            Part::Database => json!({}),
            Part::Role if self.server.programs.iam_auth => json!({"may_log_in": true, "is_powerful": false, "has_iam": true}),
            Part::Role => json!({"may_log_in": true, "is_powerful": false, "password": "as configured"}),
            Part::SchemaGrants => json!({"may_use": true, "may_create": false, "may_use_new_tables": true}),
            Part::Schema => json!({"missing_migrations": 0}),
            Part::TableGrants => json!({"too_little": [], "too_much": []}),
        }
    }

    async fn found(&self) -> Result<Option<Value>, Error> {
        let (server, user) = (&self.server, &self.server.programs.user);
        match self.part {
            Part::Database => {
                let there = server.administrator(&server.maintenance).await?.has_database(&server.programs.database).await;
                Ok(there.map_err(explained)?.then(|| json!({})))
            }
            Part::Role => server.role().await,
            Part::Schema => {
                let missing = administer::missing_migrations(&server.owner).await.map_err(explained)?;
                Ok(missing.map(|missing| json!({"missing_migrations": missing})))
            }
            Part::SchemaGrants | Part::TableGrants => {
                let Some(mut inside) = server.inside().await? else { return Ok(None) };
                if inside.role(user).await.map_err(explained)?.is_none() {
                    return Ok(None);
                }
                let grants = match self.part {
                    Part::SchemaGrants => inside.schema_grants(user).await.map(serde_json::to_value),
                    _ => inside.table_grants(user).await.map(serde_json::to_value),
                };
                Ok(Some(grants.map_err(explained)?.unwrap_or_default()))
            }
        }
    }

    fn password(&self) -> Result<Option<Secret>, Error> {
        let programs = &self.server.programs;
        let Some(file) = programs.password_file.as_ref().filter(|_| !programs.iam_auth) else {
            return Ok(programs.password.clone());
        };
        let text = std::fs::read_to_string(file);
        let text =
            text.map_err(|error| Error::Refused(format!("catalog.password_file, {}, cannot be read: {error}", file.display())))?;
        Ok(Some(Secret(text.trim_end_matches(['\r', '\n']).to_owned())))
    }
}

pub(crate) fn explained(error: CatalogError) -> Error {
    match error {
        CatalogError::Unavailable(_) => Error::Away(error.to_string()),
        error => Error::Refused(error.to_string()),
    }
}
