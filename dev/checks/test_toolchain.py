"""The toolchain is pinned once, and whatever else names it agrees."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Toolchain(unittest.TestCase):
    def named(self, file: str, pattern: str) -> str:
        found = re.search(pattern, (ROOT / file).read_text(), re.MULTILINE)
        self.assertIsNotNone(found, f"{file} names no toolchain")
        return found[1]

    def test_the_image_and_the_workspace_use_the_pinned_toolchain(self):
        pinned = self.named("rust-toolchain.toml", r'^channel = "(\d+\.\d+\.\d+)"$')
        self.assertEqual(self.named("deploy/Dockerfile", r"^FROM rust:([\d.]+)-"), pinned)
        self.assertEqual(self.named("Cargo.toml", r'^rust-version = "([\d.]+)"$'), pinned.rpartition(".")[0])


if __name__ == "__main__":
    unittest.main()
