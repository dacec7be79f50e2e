//! What file names tell: language and MIME type.

use std::path::Path;

/// What a file is by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameFacts {
    /// Lower-case extension without the dot.
    pub(crate) extension: Option<String>,
    /// Programming language, if it is source code.
    pub(crate) language: Option<&'static str>,
    /// MIME type, if the extension is known.
    pub(crate) mime_type: Option<&'static str>,
}

impl NameFacts {
    /// Reads them off `path`.
    pub(crate) fn of(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let language = by_name(name).or_else(|| extension.as_deref().and_then(by_extension));
        let mime_type = extension.as_deref().and_then(mime_type);
        Self { extension, language, mime_type }
    }
}

fn by_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "Makefile" | "GNUmakefile" => "make",
        "Dockerfile" | "Containerfile" => "dockerfile",
        "CMakeLists.txt" => "cmake",
        "Jenkinsfile" => "groovy",
        "Rakefile" | "Gemfile" => "ruby",
        _ => return None,
    })
}

fn by_extension(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "rs" => "rust",
        "py" | "pyi" => "python",
        "js" | "mjs" | "cjs" | "jsx" => "javascript",
        "ts" | "tsx" | "mts" => "typescript",
        "go" => "go",
        "java" => "java",
        "kt" | "kts" => "kotlin",
        "scala" | "sc" => "scala",
        "c" | "h" => "c",
        "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" => "cpp",
        "cs" => "csharp",
        "fs" | "fsx" => "fsharp",
        "swift" => "swift",
        "m" | "mm" => "objective-c",
        "rb" => "ruby",
        "php" => "php",
        "pl" | "pm" => "perl",
        "lua" => "lua",
        "r" => "r",
        "jl" => "julia",
        "dart" => "dart",
        "ex" | "exs" => "elixir",
        "erl" | "hrl" => "erlang",
        "hs" => "haskell",
        "ml" | "mli" => "ocaml",
        "clj" | "cljs" => "clojure",
        "groovy" | "gradle" => "groovy",
        "zig" => "zig",
        "nix" => "nix",
        "sh" | "bash" | "zsh" => "shell",
        "ps1" => "powershell",
        "sql" => "sql",
        "html" | "htm" => "html",
        "css" | "scss" | "less" => "css",
        "vue" => "vue",
        "svelte" => "svelte",
        "proto" => "protobuf",
        "graphql" | "gql" => "graphql",
        "tf" => "terraform",
        "asm" | "s" => "assembly",
        _ => return None,
    })
}

fn mime_type(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "txt" | "log" => "text/plain",
        "md" | "markdown" => "text/markdown",
        "csv" => "text/csv",
        "tsv" => "text/tab-separated-values",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "js" | "mjs" | "cjs" => "text/javascript",
        "json" => "application/json",
        "xml" => "application/xml",
        "yaml" | "yml" => "application/yaml",
        "toml" => "application/toml",
        "sql" => "application/sql",
        "rtf" => "application/rtf",
        "eml" => "message/rfc822",
        "py" => "text/x-python",
        "rs" => "text/x-rust",
        "c" | "h" => "text/x-c",
        "java" => "text/x-java",
        "sh" => "application/x-sh",
        "pdf" => "application/pdf",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_known_by_extension_or_name() {
        assert_eq!(NameFacts::of(Path::new("src/Main.RS")).language, Some("rust"));
        assert_eq!(NameFacts::of(Path::new("Makefile")).language, Some("make"));
        assert_eq!(NameFacts::of(Path::new("notes.md")).language, None);
    }
}
