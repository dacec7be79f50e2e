"""What the ledger's verifier knows of others' specifications, and nothing of Unweave.

RFC 6962 (hashes and proofs), RFC 8785 (the one text of JSON), RFC 8032 (Ed25519, by the package `cryptography`), and
C2SP's signed-note, tlog-checkpoint and tlog-tiles.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_ENTRY_BYTES = 16 * 1024
MAX_NOTE_BYTES = 64 * 1024
MAX_SIGNATURES = 100
MAX_NUMBER = 2**53 - 1
MAX_DEPTH = 32
TILE_WIDTH = 256
ED25519 = b"\x01"


class Refused(Exception):
    """What was given proves nothing, and why."""


def require(holds: bool, why: str) -> None:
    if not holds:
        raise Refused(why)


# JSON that means one thing to every reader, and its one text.


def read_json(text: bytes, most: int):
    """Refuses what two readers may understand differently."""
    require(len(text) <= most, f"{len(text)} bytes, at most {most} are read")

    def whole(digits: str) -> int:
        require(digits != "-0" and len(digits) < 20 and abs(int(digits)) <= MAX_NUMBER, "a number beyond 2^53")
        return int(digits)

    def fields(pairs: list) -> dict:
        require(len(pairs) == len({name for name, _ in pairs}), "an object has a name twice")
        return dict(pairs)

    def refuse(what: str):
        raise Refused(f"no whole number: {what}")

    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=fields, parse_int=whole, parse_float=refuse,
                           parse_constant=refuse)
        check_depth(value, 0)
        canonical(value)  # Refuses halves of surrogate pairs.
        return value
    except (ValueError, RecursionError) as error:
        raise Refused(f"no JSON: {error}") from error


def check_depth(value, depth: int) -> None:
    if isinstance(value, (dict, list)):
        require(depth < MAX_DEPTH, "nested too deeply")
        for below in value.values() if isinstance(value, dict) else value:
            check_depth(below, depth + 1)


def canonical(value) -> bytes:
    """RFC 8785, for what `read_json` reads: names in the order of UTF-16, no blanks, as few escapes as may be."""

    def ordered(value):
        if isinstance(value, dict):
            names = sorted(value, key=lambda name: name.encode("utf-16-be"))
            return {name: ordered(value[name]) for name in names}
        return [ordered(below) for below in value] if isinstance(value, list) else value

    return json.dumps(ordered(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def unbase64(text) -> bytes:
    """Standard base64, and no other text of the same bytes."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, TypeError) as error:
        raise Refused("no base64") from error
    require(base64.b64encode(data).decode() == text, "no base64")
    return data


# RFC 6962, sections 2.1 to 2.1.2; the checks are the algorithms of RFC 9162.


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Roots:
    """The root of a growing log, from the roots of its complete subtrees."""

    def __init__(self):
        self.size, self.subtrees = 0, []

    def append(self, leaf: bytes) -> None:
        carry, size = leaf, self.size
        while size % 2:
            carry, size = node_hash(self.subtrees.pop(), carry), size // 2
        self.subtrees.append(carry)
        self.size += 1

    def root(self) -> bytes:
        if not self.subtrees:
            return hashlib.sha256(b"").digest()
        root = self.subtrees[-1]
        for left in reversed(self.subtrees[:-1]):
            root = node_hash(left, root)
        return root


def check_inclusion(proof: list[bytes], index: int, size: int, leaf: bytes, root: bytes) -> None:
    """RFC 9162, section 2.1.3.2."""
    require(0 <= index < size <= MAX_NUMBER, "no such entry in the ledger")
    require(len(proof) <= 64, "the proof doesn't lead to the root")
    here, last, found = index, size - 1, leaf
    for hash in proof:
        require(last > 0, "the proof doesn't lead to the root")
        if here % 2 or here == last:
            found = node_hash(hash, found)
            while here % 2 == 0 and here:
                here, last = here // 2, last // 2
        else:
            found = node_hash(found, hash)
        here, last = here // 2, last // 2
    require(last == 0 and found == root, "the proof doesn't lead to the root")


def check_consistency(proof: list[bytes], old: int, old_root: bytes, new: int, new_root: bytes) -> None:
    """RFC 9162, section 2.1.4.2."""
    require(0 <= old <= new <= MAX_NUMBER, "the ledger has shrunk")
    require(len(proof) <= 64, "the proof doesn't lead to the root")
    if old == 0 or old == new:
        empty = hashlib.sha256(b"").digest()
        require(not proof and (old == 0 or old_root == new_root), "the proof doesn't lead to the root")
        require((old > 0 or old_root == empty) and (new > 0 or new_root == empty), "an empty ledger has another root")
        return
    hashes = ([old_root] if old & (old - 1) == 0 else []) + proof
    require(bool(hashes), "the proof doesn't lead to the root")
    here, last = old - 1, new - 1
    while here % 2:
        here, last = here // 2, last // 2
    before = after = hashes[0]
    for hash in hashes[1:]:
        require(last > 0, "the proof doesn't lead to the root")
        if here % 2 or here == last:
            before, after = node_hash(hash, before), node_hash(hash, after)
            while here % 2 == 0 and here:
                here, last = here // 2, last // 2
        else:
            after = node_hash(after, hash)
        here, last = here // 2, last // 2
    require(last == 0 and before == old_root and after == new_root, "the proof doesn't lead to the root")


# Keys, signed notes and checkpoints.


@dataclass(frozen=True)
class Key:
    origin: str
    id: bytes
    public: bytes
    text: str

    @classmethod
    def read(cls, text: str) -> "Key":
        parts = text.split("+", 2)
        require(len(parts) == 3 and is_name(parts[0]), "a key is <origin>+<8 hexadecimal digits>+<base64>")
        data = unbase64(parts[2])
        require(len(data) == 33 and data[:1] == ED25519, "no key of Ed25519")
        id = hashlib.sha256(parts[0].encode() + b"\n" + data).digest()[:4]
        require(parts[1] == id.hex(), "the digits don't belong to the key")
        return cls(parts[0], id, data[1:], text)

    def signed(self, text: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes


def is_name(text: str) -> bool:
    return 0 < len(text) <= 128 and text.isprintable() and "+" not in text and not any(map(str.isspace, text))


def read_checkpoint(note: str, keys: list[Key]) -> Checkpoint:
    require(isinstance(note, str) and len(note.encode()) <= MAX_NOTE_BYTES, "no signed note")
    require(not any(letter < " " and letter != "\n" for letter in note), "no signed note")
    text, gap, signatures = note.rpartition("\n\n")
    require(bool(gap) and signatures.endswith("\n"), "no signed note")
    text, lines = text + "\n", signatures[:-1].split("\n")
    require(len(lines) <= MAX_SIGNATURES, "too many signatures")
    checkpoint, is_signed = checkpoint_of(text), False
    for line in lines:
        parts = re.fullmatch(r"\u2014 (\S+) (\S+)", line)
        require(parts is not None and "+" not in parts[1], "a malformed signature")
        data = unbase64(parts[2])
        require(len(data) > 4, "a malformed signature")
        known = [key for key in keys if (key.origin, key.id) == (parts[1], data[:4])]
        if known:
            require(any(key.signed(text.encode(), data[4:]) for key in known), "the note was altered")
            is_signed = is_signed or parts[1] == checkpoint.origin
    require(is_signed, "the checkpoint isn't signed by a known key of its log")
    return checkpoint


def checkpoint_of(text: str) -> Checkpoint:
    lines = text[:-1].split("\n")
    require(len(lines) >= 3 and all(lines), "no checkpoint")
    origin, size, root = lines[:3]
    require(is_name(origin) and re.fullmatch(r"0|[1-9][0-9]{0,15}", size) is not None, "no checkpoint")
    require(int(size) <= MAX_NUMBER and len(unbase64(root)) == 32, "no checkpoint")
    return Checkpoint(origin, int(size), unbase64(root))


# Tiles and bundles.


def tile_path(kind, index: int, width: int) -> str:
    number = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        number = f"x{index % 1000:03}/{number}"
    return f"tile/{kind}/{number}" + (f".p/{width}" if width < TILE_WIDTH else "")


def read_bundle(data: bytes, width: int) -> list[bytes]:
    entries = []
    for _ in range(width):
        length = int.from_bytes(data[:2], "big")
        require(len(data) >= 2 + length and length <= MAX_ENTRY_BYTES, "no bundle of entries")
        entries.append(data[2:2 + length])
        data = data[2 + length:]
    require(not data, "no bundle of entries")
    return entries
