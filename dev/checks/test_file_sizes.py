"""The check of file sizes notices a file that is too long."""

import tempfile
import unittest
from pathlib import Path

import file_sizes


class FileSizes(unittest.TestCase):
    def reported(self, **lines: int) -> tuple[list[str], bool]:
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder, name + ".rs") for name in lines]
            for file in files:
                file.write_text("x\n" * lines[file.stem])
            return file_sizes.report(file_sizes.sizes(files), Path(folder))

    def test_a_file_of_501_lines_fails_and_one_of_500_is_listed(self):
        shown, is_too_long = self.reported(a=500, b=3)
        self.assertFalse(is_too_long)
        self.assertIn("500 a.rs  long", shown[1])
        shown, is_too_long = self.reported(a=500, b=501)
        self.assertTrue(is_too_long)
        self.assertIn("501 b.rs  too long", shown[1])

    def test_every_long_file_is_listed(self):
        shown, _ = self.reported(**{f"f{number}": 301 for number in range(30)})
        self.assertEqual(len(shown), 31)


if __name__ == "__main__":
    unittest.main()
