"""The check of circles notices a planted one, and allows what the house allows."""

import tempfile
import unittest
from pathlib import Path

import circles
import rust_modules


class Circles(unittest.TestCase):
    def found(self, **files: str) -> list[list[str]]:
        """The circles of a crate of these files; `__` in a name stands for a folder."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                file = Path(folder, *name.split("__")).with_suffix(".rs")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            found, _ = circles.circles(rust_modules.read_file(Path(folder, "lib.rs")))
            return sorted(sorted(str(file.relative_to(folder)) for file in circle) for circle in found)

    def test_two_files_that_use_each_other_are_a_circle(self):
        found = self.found(lib="mod a; mod b;", a="use crate::b::B; pub struct A;", b="pub struct B(super::a::A);")
        self.assertEqual(found, [["a.rs", "b.rs"]])

    def test_a_circle_is_seen_through_a_reexport_an_alias_and_a_glob(self):
        for through in ("use crate::top::B;", "use crate::top; fn f() { top::B; }", "use crate::top as t; fn f(_: t::B) {}",
                        "use crate::top::{self, *}; fn f() -> top::B {}"):
            found = self.found(lib="mod a; mod top;", a=through + "pub struct A;", top="mod b; pub use b::*;",
                               top__b="use crate::a::A; pub struct B;")
            self.assertEqual(found, [["a.rs", "top.rs", "top/b.rs"]], through)

    def test_a_circle_by_way_of_a_file_that_only_reexports_is_one(self):
        found = self.found(lib="mod state; mod search;", state="use crate::search::Memory; pub struct State(Memory);",
                           search="mod memory; pub use memory::Memory; use crate::state::State; fn f(_: State) {}",
                           search__memory="pub struct Memory;")
        self.assertEqual(found, [["search.rs", "state.rs"]])

    def test_a_circle_of_the_parts_of_a_module_is_one_though_they_use_the_module_too(self):
        found = self.found(lib="mod m;", m="mod a; mod b; pub struct M; fn f() { a::f(); b::f() }",
                           m__a="use super::{M, b}; pub fn f() { b::f() }", m__b="use super::{M, a::f as g}; pub fn f() { g() }")
        self.assertEqual(found, [["m/a.rs", "m/b.rs"]])

    def test_a_circle_that_leaves_a_module_is_one(self):
        found = self.found(lib="mod m; mod n;", m="mod a; pub struct M; fn f() { a::f() }",
                           m__a="pub fn f() { crate::n::f() }", n="use crate::m::M; pub fn f() {}")
        self.assertEqual(found, [["m.rs", "m/a.rs", "n.rs"]])

    def test_a_module_and_what_is_below_it_may_use_each_other(self):
        found = self.found(lib="mod m;", m="mod a; mod b; pub struct M; fn f() { a::f() }",
                           m__a="use super::M; use super::b::f as g; pub fn f() {}", m__b="use super::M; pub fn f() {}")
        self.assertEqual(found, [])

    def test_comments_and_texts_tie_nothing(self):
        found = self.found(lib="mod a; mod b;", a="use crate::b::B; pub struct A;",
                           b='''// use crate::a::A;
                           /* crate::a::A */ pub struct B(&'static str); const C: &str = "crate::a::A"; const D: char = '"';
                           const E: &str = r#"" crate::a::A "#;''')
        self.assertEqual(found, [])

    def test_code_of_tests_counts_like_any_other(self):
        b = "pub struct B; #[cfg(test)] mod tests { use super::super::a::A; }"
        found = self.found(lib="mod a; mod b;", a="use crate::b::B; pub struct A;", b=b)
        self.assertEqual(found, [["a.rs", "b.rs"]])
        found = self.found(lib="#[cfg(test)] mod suite; mod a;", suite="use crate::a::tests::Stand; pub trait World {}",
                           a="#[cfg(test)] pub(crate) mod tests;",
                           a__tests="use crate::suite::World; pub struct Stand;")
        self.assertEqual(found, [["a/tests.rs", "suite.rs"]])

    def test_names_of_other_crates_tie_nothing(self):
        found = self.found(lib="mod a; mod metrics;", a="use crate::metrics::B; pub struct A;",
                           metrics="use metrics::a::A; use a::A as O; pub struct B; fn f() { metrics::counter() }")
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
