"""Tells when docs/pictures/demo.svg no longer shows what the demo says: sentences of its code that aren't in it."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STORY = ROOT / "dev/local-stack/src/demo/story.rs"
PICTURE = ROOT / "docs/pictures/demo.svg"
# The picture begins with this step.
BEGINS = "Change every file"
# A step or a claim that is one text; those made of parts differ from run to run.
SENTENCE = re.compile(r'\.(?:step|claim)\(\s*(?:&self\.claims,\s*)?"((?:[^"\\{]|\\.)+)"')


def sentences(story: str) -> list[str]:
    """The demo's steps and claims from where the picture begins."""
    found = [match[1] for match in SENTENCE.finditer(story)]
    first = next((number for number, said in enumerate(found) if said.startswith(BEGINS)), 0)
    return found[first:]


def shown(picture: str) -> str:
    """What the picture says, without blanks: lines may be broken anywhere."""
    texts = ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
    return "".join("".join("".join(text.itertext()).split()) for text in texts)


def missing(story: str, picture: str) -> list[str]:
    """The sentences that the picture doesn't show."""
    text = shown(picture)
    return [said for said in sentences(story) if "".join(said.split()) not in text]
