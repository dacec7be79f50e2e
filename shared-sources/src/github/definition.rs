//! What `github` is and what it asks for.

use super::name;
use crate::definition::build::{TEXT, field, secret};
use crate::definition::{FieldDefault, FieldKind, SourceDefinition};

/// One branch of a repository of GitHub or GitHub Enterprise Server.
pub(super) const DEFINITION: SourceDefinition = SourceDefinition {
    short_name: "github",
    name: "GitHub",
    description: "The repository, folders, source code and other text files of one branch on GitHub.",
    class_name: "GitHubSource",
    entity_classes: &["GitHubRepositoryEntity", "GitHubDirectoryEntity", "GitHubCodeFileEntity"],
    labels: &["Code"],
    supports_continuous: false,
    is_internal: false,
    auth_fields: &[
        secret(field(
            "personal_access_token",
            "Personal Access Token",
            "Token of GitHub that may read the repository: fine-grained with the permission Contents (read), \
             or classic with the scope repo.",
            TEXT,
            FieldDefault::Required,
        )),
        field(
            "api_url",
            "API URL",
            "Base URL of the API, for GitHub Enterprise Server, e.g. https://github.example.com/api/v3. \
             It must be one that the operator allows; the operator's default if not given.",
            TEXT,
            FieldDefault::Null,
        ),
    ],
    config_fields: &[
        field(
            "repo_name",
            "Repository Name",
            "Repository to read, as owner/repo, e.g. airweave-ai/airweave.",
            FieldKind::Formed { max_chars: 200, problem: name::problem },
            FieldDefault::Required,
        ),
        field(
            "branch",
            "Branch Name",
            "Branch to read, e.g. main; the repository's default branch if not given.",
            FieldKind::Text { max_chars: 255 },
            FieldDefault::Null,
        ),
        field(
            "sync_pull_requests",
            "Sync Pull Requests",
            "Taken because Airweave's clients send it. Pull requests aren't read; a job says so if it is true.",
            FieldKind::Boolean,
            FieldDefault::Boolean(false),
        ),
    ],
};
