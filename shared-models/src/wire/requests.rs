//! What clients send: the forms of request bodies, as the OpenAPI document describes them.
//!
//! The gateway reads bodies field by field, to report every fault at once; these types say what its readers accept.

mod api_key;
mod collection;
mod legacy_search;
mod search;
mod source_connection;

pub use api_key::{ApiKeyCreate, ApiKeyRotate};
pub use collection::{CollectionCreate, CollectionUpdate};
pub use legacy_search::{ExpansionStrategy, LegacyFilter, LegacySearchRequest, LegacyStrategy};
pub use search::{
    AgenticSearchRequest, ClassicSearchRequest, FilterCondition, FilterGroup, FilterItem, FilterOperator, FilterValue,
    FilterableField, InstantSearchRequest, SearchPage, SearchText,
};
pub use source_connection::{
    AuthProviderAuthentication, DirectAuthentication, GivenAuthentication, OAuthBrowserAuthentication,
    OAuthTokenAuthentication, RunRequest, ScheduleConfig, ShortText, SourceConnectionCreate, SourceConnectionUpdate,
};
