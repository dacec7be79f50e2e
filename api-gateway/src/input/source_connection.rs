//! Bodies about source connections.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};
use shared_database::connections::Credentials;

use super::authentication::{GivenAuthentication, authentication};
use super::{Body, Fields, Query};
use crate::problem::Problem;

const NAME: RangeInclusive<usize> = 4..=42;
const DESCRIPTION: RangeInclusive<usize> = 0..=255;
const ANY: RangeInclusive<usize> = 0..=1024;

/// A schedule, as far as its form goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScheduleInput {
    /// When to run; not at all if none.
    pub cron: Option<String>,
    /// Whether to run from a cursor, if the request speaks of it.
    pub continuous: Option<bool>,
    /// The field of the cursor, if the request speaks of it.
    pub cursor_field: Option<Option<String>>,
}

/// Whether and how a request speaks of the schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenSchedule {
    /// Not at all.
    Absent,
    /// null.
    Null,
    /// With an object.
    Given(ScheduleInput),
}

/// A new connection, as far as its form goes.
#[derive(Debug, Clone)]
pub struct ConnectionInput {
    /// The source.
    pub short_name: String,
    /// The collection.
    pub readable_collection_id: String,
    /// The name, if one was given.
    pub name: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The config, not validated.
    pub config: Map<String, Value>,
    /// The schedule.
    pub schedule: GivenSchedule,
    /// Whether to run at once; by default yes.
    pub sync_immediately: Option<bool>,
    /// How it is authenticated.
    pub authentication: GivenAuthentication,
}

/// What to change of a connection, as far as its form goes.
#[derive(Debug, Clone)]
pub struct ConnectionPatch {
    /// The new name; null leaves it.
    pub name: Option<String>,
    /// The new description, if the request speaks of it.
    pub description: Option<Option<String>>,
    /// The new config, not validated; null leaves it.
    pub config: Option<Map<String, Value>>,
    /// The new schedule.
    pub schedule: GivenSchedule,
    /// New credentials, not validated.
    pub credentials: Option<Credentials>,
}

/// Reads a new connection.
///
/// # Errors
/// 422.
pub fn create_connection(body: &Body) -> Result<ConnectionInput, Problem> {
    let mut fields = Fields::of_body(body.object()?);
    let input = ConnectionInput {
        name: fields.text("name", NAME),
        short_name: fields.required_text("short_name", ANY),
        readable_collection_id: fields.required_text("readable_collection_id", ANY),
        description: fields.text("description", DESCRIPTION),
        config: fields.object("config").cloned().unwrap_or_default(),
        schedule: schedule(&mut fields),
        sync_immediately: fields.boolean("sync_immediately"),
        authentication: authentication(&mut fields),
    };
    fields.finish()?;
    Ok(input)
}

/// Reads what to change of a connection.
///
/// # Errors
/// 422.
pub fn update_connection(body: &Body) -> Result<ConnectionPatch, Problem> {
    const KNOWN: [&str; 5] = ["name", "description", "config", "schedule", "authentication"];
    let mut fields = Fields::of_body(body.object()?);
    if !KNOWN.iter().any(|name| fields.has(name)) {
        fields.refuse("", "Value error, At least one field must be provided for update", "value_error");
    }
    let description = fields.text("description", DESCRIPTION);
    let credentials = match fields.value("authentication") {
        None => None,
        Some(_) => match authentication(&mut fields) {
            GivenAuthentication::Direct(credentials) => Some(credentials),
            GivenAuthentication::Token(_) | GivenAuthentication::Other | GivenAuthentication::None => {
                let msg = "Value error, Direct auth can only be updated with authentication";
                fields.refuse("", msg, "value_error");
                None
            }
        },
    };
    let patch = ConnectionPatch {
        name: fields.text("name", NAME),
        description: fields.has("description").then_some(description),
        config: fields.object("config").cloned(),
        schedule: schedule(&mut fields),
        credentials,
    };
    fields.finish()?;
    Ok(patch)
}

/// Reads `force_full_sync`, as parameter or in the body.
///
/// # Errors
/// 422.
pub fn force_full_sync(query: &mut Query, body: &Body) -> Result<bool, Problem> {
    let in_query = query.boolean("force_full_sync");
    query.check()?;
    let given = body.object_or_empty()?;
    let mut fields = Fields::of_body(&given);
    let in_body = fields.boolean("force_full_sync");
    fields.finish()?;
    Ok(in_query.or(in_body).unwrap_or(false))
}

fn schedule(fields: &mut Fields<'_>) -> GivenSchedule {
    if !fields.has("schedule") {
        return GivenSchedule::Absent;
    }
    if fields.value("schedule").is_none() {
        return GivenSchedule::Null;
    }
    let Some(given) = fields.object("schedule") else { return GivenSchedule::Null };
    let mut inner = fields.nested("schedule", given);
    let cursor_field = inner.text("cursor_field", 0..=255);
    let schedule = ScheduleInput {
        cron: inner.text("cron", 1..=255),
        continuous: inner.boolean("continuous"),
        cursor_field: inner.has("cursor_field").then_some(cursor_field),
    };
    fields.absorb(inner);
    GivenSchedule::Given(schedule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn create(more: Value) -> Result<ConnectionInput, String> {
        let mut body = json!({"short_name": "stub", "readable_collection_id": "c"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        create_connection(&Body(Some(body))).map_err(|problem| problem.to_string())
    }

    fn update(body: Value) -> Result<ConnectionPatch, String> {
        update_connection(&Body(Some(body))).map_err(|problem| problem.to_string())
    }

    #[test]
    fn every_missing_field_is_named() {
        let problem = create_connection(&Body(Some(json!({})))).unwrap_err().to_string();
        assert_eq!(problem, "body.short_name: Field required; body.readable_collection_id: Field required");
    }

    #[test]
    fn names_have_4_to_42_characters() {
        assert_eq!(create(json!({"name": "abc"})).unwrap_err(), "body.name: String should have at least 4 characters");
        assert!(create(json!({"name": "ä".repeat(42)})).is_ok());
        assert!(create(json!({"name": "a".repeat(43)})).unwrap_err().contains("at most 42"));
        assert!(create(json!({"name": 4})).unwrap_err().contains("valid string"));
        assert_eq!(create(json!({"name": null})).unwrap().name, None);
    }

    #[test]
    fn a_patch_without_a_known_field_is_refused() {
        for body in [json!({}), json!({"colour": "red"})] {
            assert_eq!(update(body).unwrap_err(), "body: Value error, At least one field must be provided for update");
        }
        let other = update(json!({"authentication": {"access_token": "t"}})).unwrap_err();
        assert_eq!(other, "body: Value error, Direct auth can only be updated with authentication");
    }

    #[test]
    fn an_absent_field_differs_from_null() {
        let patch = update(json!({"description": null, "schedule": null})).unwrap();
        assert_eq!((patch.description, patch.schedule), (Some(None), GivenSchedule::Null));
        let patch = update(json!({"name": "New name"})).unwrap();
        assert_eq!((patch.description, patch.schedule), (None, GivenSchedule::Absent));
    }

    #[test]
    fn null_leaves_the_name_and_the_config() {
        let patch = update(json!({"name": null, "config": null})).unwrap();
        assert_eq!((patch.name, patch.config), (None, None));
        assert_eq!(update(json!({"config": {}})).unwrap().config, Some(Map::new()));
    }

    #[test]
    fn credentials_are_never_printed() {
        let input = create(json!({"authentication": {"credentials": {"stub_key": "s3cret"}}})).unwrap();
        assert!(!format!("{input:?}").contains("s3cret"));
    }

    #[test]
    fn forcing_may_stand_in_the_query_or_the_body() {
        let mut request = actix_web::test::TestRequest::with_uri("/?force_full_sync=maybe").to_http_request();
        assert!(force_full_sync(&mut Query::of(&request), &Body(None)).is_err());
        request = actix_web::test::TestRequest::with_uri("/").to_http_request();
        let body = Body(Some(json!({"force_full_sync": true})));
        assert!(force_full_sync(&mut Query::of(&request), &body).unwrap());
        assert!(!force_full_sync(&mut Query::of(&request), &Body(None)).unwrap());
    }
}
