//! Turns what was read into entities.

use std::path::Path;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use shared_models::DocumentType;

use super::name::RepositoryName;
use super::page::{Shown, page};
use super::tree::Found;
use super::wire::Repository;
use crate::tools::breadcrumbs::breadcrumbs;
use crate::tools::cut;
use crate::tools::kinds::NameFacts;
use crate::tools::text::{bounded_text, searchable, without_nul};
use crate::{Breadcrumb, RawFile, Source, SourceEntity};

const REPOSITORY: &str = "GitHubRepositoryEntity";
const DIRECTORY: &str = "GitHubDirectoryEntity";
const CODE_FILE: &str = "GitHubCodeFileEntity";

/// What all entities of a run have in common.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) asked: RepositoryName,
    pub(super) repository: Repository,
    pub(super) branch: String,
}

impl Origin {
    /// The repository itself.
    pub(super) fn repository(&self) -> SourceEntity {
        let Repository { full_name, description, default_branch, language, .. } = &self.repository;
        let repository = &self.repository;
        let facts = [Some(full_name.to_string()), description.clone(), language.clone()];
        let text = facts.into_iter().flatten().collect::<Vec<_>>().join("\n");
        entity(
            REPOSITORY,
            Names { id: repository.id.to_string(), name: repository.name.clone() },
            searchable(text),
            json!({
                "repo_id": repository.id,
                "full_name": full_name.to_string(),
                "description": description.clone().map(bounded_text),
                "default_branch": default_branch,
                "language": language,
                "fork": repository.fork,
                "size": repository.size,
                "stars_count": repository.stargazers_count,
                "watchers_count": repository.watchers_count,
                "forks_count": repository.forks_count,
                "open_issues_count": repository.open_issues_count,
            }),
            SourceEntity {
                created_at: repository.created_at,
                updated_at: repository.updated_at,
                web_url: repository.html_url.clone(),
                ..blank()
            },
        )
    }

    /// A folder.
    pub(super) fn directory(&self, path: &str) -> SourceEntity {
        let id = self.id_of(path);
        entity(
            DIRECTORY,
            Names { name: last_part(path).to_owned(), id: id.clone() },
            searchable(id),
            json!({
                "path": path,
                "repo_name": self.asked.name,
                "repo_owner": self.asked.owner,
                "branch": self.branch,
            }),
            SourceEntity {
                breadcrumbs: self.breadcrumbs(path),
                web_url: page(&self.repository.html_url, Shown::Folder, &self.branch, path),
                ..blank()
            },
        )
    }

    /// A file and its `text`.
    pub(super) fn file(&self, found: &Found, facts: &NameFacts, text: String, bytes: Bytes) -> SourceEntity {
        let path = found.path.as_str();
        let name = last_part(path).to_owned();
        let id = self.id_of(path);
        let mime_type = facts.mime_type.unwrap_or("text/plain");
        let url = page(&self.repository.html_url, Shown::File, &self.branch, path);
        let is_cut = cut::count(Source::Github, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let line_count = (!is_cut).then(|| text.matches('\n').count() + 1);
        let fields = json!({
            "path_in_repo": path,
            "repo_name": self.asked.name,
            "repo_owner": self.asked.owner,
            "branch": self.branch,
            "size": bytes.len(),
            "mime_type": mime_type,
            "file_type": mime_type.split('/').next(),
            "language": facts.language,
            "sha": found.sha.as_str(),
            "commit_id": found.sha.as_str(),
            "line_count": line_count,
            "is_binary": false,
            "url": url,
            "html_url": url,
        });
        let text = if text.trim().is_empty() { format!("{name}\n{id}") } else { text };
        entity(
            CODE_FILE,
            Names { id, name: name.clone() },
            searchable(text),
            fields,
            SourceEntity {
                document_type: DocumentType::CodeFile,
                breadcrumbs: self.breadcrumbs(path),
                web_url: url,
                file: Some(RawFile { name, bytes }),
                ..blank()
            },
        )
    }

    /// The id of a file or folder: of the name that the connection was made with,
    /// so that a rename on GitHub changes none.
    pub(super) fn id_of(&self, path: &str) -> String {
        format!("{}/{path}", self.asked)
    }

    /// The repository and the folders above `path`.
    fn breadcrumbs(&self, path: &str) -> Vec<Breadcrumb> {
        let folders = path.match_indices('/').map(|(end, _)| path.get(..end));
        breadcrumbs(std::iter::once(None).chain(folders).collect(), |container| match container {
            None => Breadcrumb {
                entity_id: self.repository.id.to_string(),
                name: self.repository.name.clone(),
                entity_type: REPOSITORY,
            },
            Some(folder) => {
                Breadcrumb { entity_id: self.id_of(folder), name: last_part(folder).to_owned(), entity_type: DIRECTORY }
            }
        })
    }
}

/// What the name of the file at `path` tells.
pub(super) fn facts(path: &str) -> NameFacts {
    NameFacts::of(Path::new(path))
}

struct Names {
    id: String,
    name: String,
}

fn entity(class: &'static str, names: Names, text: String, fields: Value, rest: SourceEntity) -> SourceEntity {
    let fields = match fields {
        Value::Object(fields) => without_nul(fields),
        _ => Map::new(),
    };
    SourceEntity { class, id: names.id, name: names.name, text, fields, ..rest }
}

fn blank() -> SourceEntity {
    SourceEntity {
        class: "",
        id: String::new(),
        name: String::new(),
        document_type: DocumentType::Base,
        text: String::new(),
        fields: Map::new(),
        breadcrumbs: Vec::new(),
        created_at: None,
        updated_at: None,
        web_url: String::new(),
        file: None,
        version: None,
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
