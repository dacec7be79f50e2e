#!/usr/bin/env python3
"""Verifies receipts and whole copies of the deletion ledger: a second implementation, written from the specifications.

It shares no code with Unweave: `merkle_log` beside it has the specifications of others, this file the forms of receipts
and entries. So an auditor needs neither Unweave nor trust in it:

    ledger_verifier.py receipt receipt.json --key KEY [--connection ID | --cleanup ID] [--copy FOLDER]
    ledger_verifier.py copy FOLDER --key KEY [--since CHECKPOINT]

A key is `<origin>+<8 hexadecimal digits>+<base64>`, and comes from the one who verifies, never from what is verified.
FOLDER is a copy of the ledger's store: `checkpoint` and `log/tile/…`. It ends with 1 and says why if something is
refused.
"""

import argparse
import hashlib
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from merkle_log import (MAX_ENTRY_BYTES, TILE_WIDTH, Checkpoint, Key, Refused, Roots, canonical, check_inclusion,
                        leaf_hash, read_bundle, read_checkpoint, read_json, require, tile_path, unbase64)

MAX_FILE_BYTES = 256 * 1024
TARGETS = ("vespa", "arf")


# Receipts.


@dataclass
class Verified:
    receipt: dict
    checked: list[str]
    reference: str | None = None
    checkpoint: Checkpoint | None = None


def only(value, needed: set, optional: frozenset = frozenset()) -> dict:
    """An object with these fields and no others: nobody shall be shown what wasn't checked."""
    require(isinstance(value, dict), "malformed: no object")
    require(needed <= set(value) <= needed | optional, "malformed: other fields than there must be")
    return value


def verify_receipt(text: bytes, keys: list[Key], connection=None, cleanup=None, superseded=None) -> Verified:
    file = only(read_json(text, MAX_FILE_BYTES), {"receipt", "signature"}, frozenset({"reference", "ledger"}))
    receipt = file["receipt"]
    require(isinstance(receipt, dict), "malformed: no receipt")
    check_signature(receipt, file["signature"], keys)
    found = Verified(receipt, ["signature"])
    for name, expected in (("source_connection_id", connection), ("cleanup_id", cleanup)):
        if expected is not None:
            require(receipt.get(name) == expected, "the receipt is of another deletion")
            found.checked.append("deletion")
    check_targets(receipt)
    found.checked.append("targets")
    if file.get("reference") is not None:
        found.reference = opened(receipt, only(file["reference"], {"salt", "reference"}))
        found.checked.append("reference")
    if file.get("ledger") is not None:
        found.checkpoint = check_in_ledger(receipt, file["ledger"], keys)
        found.checked.append("inclusion")
    if superseded is not None:
        require(receipt.get("receipt_id") not in superseded, "superseded: the receipt no longer holds")
        found.checked.append("not superseded")
    return found


def check_signature(receipt: dict, signature, keys: list[Key]) -> None:
    form = receipt.get("form")
    if form in (1, 2):
        only(signature, {"algorithm", "key_id", "public_key", "value"})
        known = [key for key in keys if key.public == unbase64(signature["public_key"])]
        texts = [canonical(receipt) for _ in known]
    elif form == 3:
        only(signature, {"algorithm", "key_id", "value"})
        known = [key for key in keys if f"{key.origin}+{key.id.hex()}" == signature["key_id"]]
        heads = [f"unweave receipt 3\nalgorithm Ed25519\nkey {key.text}\n\n" for key in known]
        texts = [head.encode() + canonical(receipt) for head in heads]
    else:
        raise Refused("a receipt of an unknown form")
    require(signature["algorithm"] == "Ed25519", "malformed: an unknown algorithm")
    require(bool(known), f"signed with the key '{signature['key_id']}', which isn't known here")
    value = unbase64(signature["value"])
    is_signed = any(key.signed(text, value) for key, text in zip(known, texts))
    require(is_signed, "altered: the signature doesn't match the receipt")


def microseconds(time) -> int:
    """Of a time of RFC 3339 in UTC, from some day on."""
    parts = isinstance(time, str) and re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", time)
    require(bool(parts), "malformed: a time")
    year, month, day, hour, minute, second = (int(part) for part in parts.groups()[:6])
    require(1 <= month <= 12 and 1 <= day <= 31, "malformed: a time")
    # Days of the civil calendar, with years that begin in March.
    year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
    return seconds * 1_000_000 + int((parts[7] or "").ljust(6, "0")[:6])


def check_targets(receipt: dict) -> None:
    targets = receipt.get("targets")
    require(isinstance(targets, dict), "malformed: no targets")
    for name in TARGETS:
        require(isinstance(targets.get(name), dict), f"the receipt lacks the target {name}")
        target = targets[name]
        if receipt["form"] < 3:
            continue
        made, delay = target.get("verifications"), receipt.get("settle_delay_seconds")
        require(type(delay) is int and delay >= 0, "the receipt doesn't say how long the settle delay was")
        require(isinstance(made, list) and bool(made), f"the receipt doesn't say when {name} was verified empty")
        last = {"at": target.get("verified_empty_at"), "by": target.get("verified_by")}
        times = [microseconds(only(verification, {"at", "by"})["at"]) for verification in made]
        require(made[-1] == last and times == sorted(times), f"the receipt doesn't say when {name} was verified empty")
        is_settled = times[-1] - times[0] >= delay * 1_000_000
        require(is_settled, f"{name} wasn't verified empty again after the settle delay")


def opened(receipt: dict, opening: dict) -> str:
    salt, reference = opening["salt"], opening["reference"]
    is_text = isinstance(salt, str) and re.fullmatch("[0-9a-f]{32}", salt) and isinstance(reference, str)
    require(bool(is_text), "malformed: the reference")
    hash = hashlib.sha256(bytes.fromhex(salt) + reference.encode()).hexdigest()
    require(receipt.get("deletion_reference_hash") == hash, "the reference doesn't match the receipt")
    return reference


def check_in_ledger(receipt: dict, ledger, keys: list[Key]) -> Checkpoint:
    only(ledger, {"index", "checkpoint", "inclusion_proof"})
    checkpoint = read_checkpoint(ledger["checkpoint"], keys)
    index, proof = ledger["index"], ledger["inclusion_proof"]
    require(type(index) is int and isinstance(proof, list), "malformed: the proof")
    hashes = [unbase64(hash) for hash in proof]
    require(all(len(hash) == 32 for hash in hashes), "malformed: the proof")
    entry = canonical({"form": 1, "kind": "receipt", "receipt": receipt})
    require(len(entry) <= MAX_ENTRY_BYTES, "too large for the ledger")
    check_inclusion(hashes, index, checkpoint.size, leaf_hash(entry), checkpoint.root)
    return checkpoint


# A copy of the whole ledger.

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z").fullmatch
HEX = re.compile(r"[0-9a-f]{64}").fullmatch
ACTION = re.compile(r"[a-z_]+(\.[a-z_]+)*").fullmatch
TEXT = {"id": ID, "time": TIME, "hex": HEX, "action": ACTION,
        "writer": re.compile("acknowledged|lease").fullmatch,
        "reason": re.compile("late_write|later_check|found_again|reopened|restored").fullmatch}
# What each kind of entry says, in form 1. A question mark: or null.
FIELDS = {
    "deleted": {
        "organization_id": "id", "collection_id": "id", "source_connection_id": "id", "sync_id": "id",
        "cleanup_id": "id", "deletion_requested_at": "time", "rows_deleted_at": "time", "requested_by": "id?",
        "request_id": "id?", "reference_hash": "hex?", "entity_rows_deleted": "count", "writer_end": "writer",
        "targets": "texts", "blob_key_destroyed_at": "time?", "has_plain_blobs": "flag"},
    "receipt": {"receipt": "object"},
    "superseded": {"receipt_id": "id", "cleanup_id": "id", "organization_id": "id", "superseded_at": "time",
                   "reason": "reason"},
    "audit": {"at": "time", "actor": "actor", "organization_id": "id?", "action": "action", "object_id": "id?"},
}


def is_of(value, kind: str) -> bool:
    if kind.endswith("?"):
        return value is None or is_of(value, kind[:-1])
    if kind == "count":
        return type(value) is int and value >= 0
    if kind == "texts":
        return isinstance(value, list) and all(isinstance(text, str) for text in value)
    if kind == "flag":
        return isinstance(value, bool)
    if kind == "object":
        return isinstance(value, dict)
    if kind == "actor":
        return value == "operator" or (isinstance(value, dict) and set(value) == {"api_key_id"}
                                       and is_of(value["api_key_id"], "id"))
    return isinstance(value, str) and TEXT[kind](value) is not None


def read_entry(text: bytes) -> dict:
    entry = read_json(text, MAX_ENTRY_BYTES)
    require(canonical(entry) == text, "an entry that isn't in canonical form")
    require(isinstance(entry, dict), "an entry that is no object")
    kind, form = entry.get("kind"), entry.get("form")
    require(isinstance(kind, str) and bool(kind) and type(form) is int and form > 0, "an entry without kind and form")
    if form == 1 and kind in FIELDS:
        fields = FIELDS[kind]
        require(set(entry) == {"kind", "form", *fields}, f"an entry with other fields than {kind} has")
        for name, what in fields.items():
            require(is_of(entry[name], what), f"an entry whose {name} is malformed")
    return entry


@dataclass
class Copy:
    """What is known of a copy of the ledger, once all of it was read."""

    checkpoint: Checkpoint
    counts: Counter = field(default_factory=Counter)
    superseded: set = field(default_factory=set)
    receipts: Counter = field(default_factory=Counter)


def verify_copy(folder: Path, keys: list[Key], since: str | None = None) -> Copy:
    checkpoint = read_checkpoint(read_file(folder / "checkpoint").decode("utf-8", "replace"), keys)
    kept = read_checkpoint(since, keys) if since is not None else None
    if kept:
        require(kept.origin == checkpoint.origin, "the kept checkpoint is of another log")
        require(kept.size <= checkpoint.size, "the ledger has shrunk")
    copy, roots = Copy(checkpoint), Roots()
    levels: list[list[bytes]] = []

    def check_tile(level: int, index: int, hashes: list[bytes]) -> None:
        name = tile_path(level, index, len(hashes))
        require(read_file(folder / "log" / name) == b"".join(hashes), f"{name} isn't of these entries")

    def note_root() -> None:
        if kept and kept.size == roots.size:
            require(roots.root() == kept.root, "the ledger doesn't continue the kept checkpoint")

    note_root()
    for start in range(0, checkpoint.size, TILE_WIDTH):
        width = min(TILE_WIDTH, checkpoint.size - start)
        name = tile_path("entries", start // TILE_WIDTH, width)
        for text in read_bundle(read_file(folder / "log" / name), width):
            count(copy, read_entry(text))
            roots.append(leaf_hash(text))
            grow(levels, leaf_hash(text), roots.size, check_tile)
            note_root()
    for level, hashes in enumerate(levels):
        if hashes:
            check_tile(level, (checkpoint.size >> (8 * level)) // TILE_WIDTH, hashes)
    require(roots.root() == checkpoint.root, "the entries aren't those that were signed")
    return copy


def grow(levels: list[list[bytes]], hash: bytes, size: int, check_tile) -> None:
    """Appends a hash to the last tile of each level that it completes one below of."""
    for level in range(8):
        if level == len(levels):
            levels.append([])
        hashes = levels[level]
        hashes.append(hash)
        if len(hashes) < TILE_WIDTH:
            return
        check_tile(level, (size >> (8 * level)) // TILE_WIDTH - 1, hashes)
        roots = Roots()
        for below in hashes:
            roots.append(below)
        hash, levels[level] = roots.root(), []


def count(copy: Copy, entry: dict) -> None:
    is_known = entry["form"] == 1 and entry["kind"] in FIELDS
    copy.counts[entry["kind"] if is_known else "unknown"] += 1
    if is_known and entry["kind"] == "superseded":
        copy.superseded.add(entry["receipt_id"])
    if is_known and entry["kind"] == "receipt":
        copy.receipts[str(entry["receipt"].get("receipt_id"))] += 1


def read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error


# The command.


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    receipt = commands.add_parser("receipt", help="verify a receipt's file")
    receipt.add_argument("file", type=Path)
    deletion = receipt.add_mutually_exclusive_group()
    deletion.add_argument("--connection")
    deletion.add_argument("--cleanup")
    receipt.add_argument("--copy", type=Path, help="a copy of the ledger, which must not supersede the receipt")
    copy = commands.add_parser("copy", help="verify a copy of the whole ledger")
    copy.add_argument("folder", type=Path)
    copy.add_argument("--since", type=Path, help="a checkpoint that was kept, which the ledger must continue")
    for command in (receipt, copy):
        command.add_argument("--key", action="append", required=True, help="a verifier key; may be given several times")
    asked = parser.parse_args(arguments)
    try:
        keys = [Key.read(text) for text in asked.key]
        print(verify_asked_receipt(asked, keys) if asked.command == "receipt" else verify_asked_copy(asked, keys))
    except Refused as refused:
        print(f"refused: {refused}", file=sys.stderr)
        return 1
    return 0


def verify_asked_receipt(asked, keys: list[Key]) -> str:
    superseded = verify_copy(asked.copy, keys).superseded if asked.copy else None
    found = verify_receipt(read_file(asked.file), keys, asked.connection, asked.cleanup, superseded)
    where = f"in the ledger of {found.checkpoint.size} entries" if found.checkpoint else "signed, not in the ledger yet"
    return f"verified: {where}; checked: {', '.join(found.checked)}"


def verify_asked_copy(asked, keys: list[Key]) -> str:
    since = read_file(asked.since).decode("utf-8", "replace") if asked.since else None
    copy = verify_copy(asked.folder, keys, since)
    twice = [id for id, times in copy.receipts.items() if times > 1]
    said = ", ".join(f"{number} {kind}" for kind, number in sorted(copy.counts.items()))
    more = f"; receipts that are there more than once: {', '.join(twice)}" if twice else ""
    return f"verified: {copy.checkpoint.size} entries of {copy.checkpoint.origin} ({said}){more}"


if __name__ == "__main__":
    sys.exit(main())
