"""The check of the documentation's lines notices a long one, and leaves tables and code alone."""

import unittest

import doc_lines


class DocLines(unittest.TestCase):
    def test_a_line_of_121_characters_is_long_and_one_of_120_is_not(self):
        self.assertEqual(doc_lines.long_lines("ü" * 120 + "\n" + "ü" * 121), [(2, 121)])

    def test_tables_and_code_stand_as_they_are(self):
        long = "x" * 200
        self.assertEqual(doc_lines.long_lines(f"| {long} |\n```\n{long}\n```\n{long}"), [(5, 200)])

    def test_of_rust_only_comments_are_read(self):
        long = "x" * 120
        code = f'let a = "{long}";\n    //! {long}\n/// {long}\n// {long}\n// short'
        self.assertEqual(doc_lines.long_comments(code), [(2, 128), (3, 124), (4, 123)])

    def test_tables_and_code_in_comments_stand_as_they_are(self):
        long = "x" * 120
        self.assertEqual(doc_lines.long_comments(f"/// | {long} |\n/// ```\n/// {long}\n/// ```\n/// {long}"), [(5, 124)])


if __name__ == "__main__":
    unittest.main()
