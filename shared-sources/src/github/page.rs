//! The pages where people see what a repository holds.

use percent_encoding::utf8_percent_encode;

use crate::tools::url;

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown {
    Folder,
    File,
}

/// The page of `path` on `branch`, of the repository whose page is `repository`.
pub(super) fn page(repository: &str, shown: Shown, branch: &str, path: &str) -> String {
    let kind = match shown {
        Shown::Folder => "tree",
        Shown::File => "blob",
    };
    let encoded = |text| utf8_percent_encode(text, url::PATH);
    format!("{repository}/{kind}/{}/{}", encoded(branch), encoded(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_encoded() {
        let page = page("https://github.com/o/r", Shown::File, "fix/a#1", "a b/ü?.rs");
        assert_eq!(page, "https://github.com/o/r/blob/fix/a%231/a%20b/%C3%BC%3F.rs");
    }
}
