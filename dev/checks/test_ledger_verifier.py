"""The ledger's second implementation agrees with the pinned files that the first one made, and refuses altered ones."""

import contextlib
import hashlib
import io
import json
import random
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "shared-models/src/ledger/vectors"
sys.path.insert(0, str(ROOT / "dev"))

try:
    import ledger_verifier as ledger
    import merkle_log as log
except ModuleNotFoundError as missing:
    # `make python-tools` installs it; the checks of `make deps` need nothing but Python.
    if missing.name != "cryptography":
        raise
    raise unittest.SkipTest("needs the package cryptography: make python-tools") from missing

KEYS = [log.Key.read(line) for line in (VECTORS / "keys.txt").read_text().splitlines()]
CLEANUP = "00000000-0000-4000-8000-000000000005"
CONNECTION = "00000000-0000-4000-8000-000000000003"


def receipt(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return log.node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return naive_path(index, leaves[:split]) + [naive_root(leaves[split:])]
    return naive_path(index - split, leaves[split:]) + [naive_root(leaves[:split])]


def naive_consistency(old: int, leaves: list[bytes], is_known: bool = True) -> list[bytes]:
    if old == len(leaves):
        return [] if is_known else [naive_root(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= split:
        return naive_consistency(old, leaves[:split], is_known) + [naive_root(leaves[split:])]
    return naive_consistency(old - split, leaves[split:], False) + [naive_root(leaves[:split])]


class Receipts(unittest.TestCase):
    def refused(self, text: bytes, why: str, keys=None, **asked):
        with self.assertRaisesRegex(ledger.Refused, why):
            ledger.verify_receipt(text, KEYS if keys is None else keys, **asked)

    def test_the_pinned_receipts_are_evidence(self):
        found = ledger.verify_receipt(receipt("receipt.json"), KEYS, cleanup=CLEANUP, superseded=set())
        self.assertEqual(found.checked,
                         ["signature", "deletion", "targets", "reference", "inclusion", "not superseded"])
        self.assertEqual((found.reference, found.checkpoint.size), ("GDPR-42", 260))
        found = ledger.verify_receipt(receipt("receipt-not-in-ledger.json"), KEYS, connection=CONNECTION)
        self.assertEqual((found.checked, found.checkpoint), (["signature", "deletion", "targets", "reference"], None))
        found = ledger.verify_receipt(receipt("receipt-form-2.json"), KEYS)
        self.assertEqual(found.checked, ["signature", "targets", "inclusion"])

    def test_each_reason_to_refuse_one(self):
        text = receipt("receipt.json")
        self.refused(text, "another deletion", cleanup=CONNECTION)
        self.refused(text, "another deletion", connection=CLEANUP)
        self.refused(text, "isn't known here", keys=[])
        self.refused(text, "isn't known here", keys=KEYS[:1])
        self.refused(text, "isn't signed by a known key", keys=KEYS[1:])
        self.refused(text.replace(b'"entity_rows_deleted": 3', b'"entity_rows_deleted": 4'), "altered")
        self.refused(text.replace(b"GDPR-42", b"GDPR-43"), "reference")
        self.refused(text.replace(b'"index": 8', b'"index": 9'), "doesn't lead")
        self.refused(text.replace(b'"rounds": 1', b'"rounds": 1, "rounds": 1'), "twice")
        self.refused(text.replace(b'"rounds": 1', b'"rounds": 1.0'), "whole")
        self.refused(text.replace(b'{', b'{"by": "me",', 1), "other fields")
        self.refused((ROOT / "shared-models/src/receipt/form_1.json").read_bytes(), "lacks the target arf")
        superseded = ledger.verify_copy(VECTORS / "copy", KEYS).superseded
        self.refused(receipt("receipt-superseded.json"), "superseded", superseded=superseded)

    def test_no_altered_receipt_is_evidence(self):
        chance = random.Random(1)
        for name in ("receipt.json", "receipt-form-2.json"):
            file = json.loads(receipt(name))
            text = json.dumps(file, ensure_ascii=False, separators=(",", ":")).encode()
            for _ in range(1000):
                altered = bytearray(text)
                altered[chance.randrange(len(text))] ^= 1 << chance.randrange(8)
                try:
                    ledger.verify_receipt(bytes(altered), KEYS, cleanup=CLEANUP)
                except ledger.Refused:
                    continue
                # Before form 3 the operator's name of the key wasn't signed.
                found = json.loads(altered)
                found["signature"]["key_id"] = file["signature"]["key_id"]
                self.assertEqual((file["receipt"]["form"], found), (2, file))


class Logs(unittest.TestCase):
    def test_the_pinned_copy_is_whole_and_continues_what_was_kept(self):
        copy = ledger.verify_copy(VECTORS / "copy", KEYS, (VECTORS / "kept-checkpoint").read_text())
        self.assertEqual(copy.counts, {"deleted": 1, "receipt": 3, "superseded": 1, "audit": 2, "unknown": 253})
        self.assertEqual(copy.superseded, {"00000000-0000-4000-8000-000000000008"})
        self.assertEqual(max(copy.receipts.values()), 2)

    def test_no_altered_copy_is_the_log_that_was_signed(self):
        chance = random.Random(2)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy"
            shutil.copytree(VECTORS / "copy", copy)
            files = sorted(path for path in copy.rglob("*") if path.is_file())
            for path in files * 4:
                content = path.read_bytes()
                altered = bytearray(content)
                altered[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
                path.write_bytes(altered)
                with self.assertRaises(ledger.Refused, msg=path):
                    ledger.verify_copy(copy, KEYS)
                path.write_bytes(content)
            for path in files:
                content = path.read_bytes()
                path.unlink()
                with self.assertRaises(ledger.Refused, msg=path):
                    ledger.verify_copy(copy, KEYS)
                path.write_bytes(content)
            ledger.verify_copy(copy, KEYS)
            newer = (VECTORS / "copy/checkpoint").read_text()
            shutil.copy(VECTORS / "kept-checkpoint", copy / "checkpoint")
            with self.assertRaisesRegex(ledger.Refused, "shrunk"):
                ledger.verify_copy(copy, KEYS, newer)

    def test_roots_and_proofs_are_those_of_the_definition(self):
        leaves = [log.leaf_hash(bytes([number])) for number in range(70)]
        roots, known = log.Roots(), []
        for leaf in leaves:
            known.append(roots.root())
            roots.append(leaf)
        known.append(roots.root())
        for new in range(1, 71):
            root = naive_root(leaves[:new])
            self.assertEqual(known[new], root)
            for index in range(new):
                path = naive_path(index, leaves[:new])
                log.check_inclusion(path, index, new, leaves[index], root)
                with self.assertRaises(ledger.Refused):
                    log.check_inclusion(path + [root], index, new, leaves[index], root)
            for old in range(1, new + 1):
                proof = naive_consistency(old, leaves[:new])
                log.check_consistency(proof, old, known[old], new, root)
                for altered in (proof[1:] or [root], [*proof, root]):
                    with self.assertRaises(ledger.Refused):
                        log.check_consistency(altered, old, known[old], new, root)

    def test_the_published_vectors(self):
        inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
        roots = log.Roots()
        for text in inputs:
            roots.append(log.leaf_hash(bytes.fromhex(text)))
        self.assertEqual(roots.root().hex(), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")
        self.assertEqual(log.tile_path(3, 1_234_067, 256), "tile/3/x001/x234/067")
        self.assertEqual(log.tile_path("entries", 273, 112), "tile/entries/273.p/112")
        peter = log.Key.read("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
        note = ("If you think cryptography is the answer to your problem,\n"
                "then you don't know what your problem is.\n")
        signature = log.unbase64(
            "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=")
        self.assertEqual(signature[:4], peter.id)
        self.assertTrue(peter.signed(note.encode(), signature[4:]))

    def test_what_readers_may_differ_about_is_refused(self):
        for text in (b"1.0", b"-0", b"1e3", b"9007199254740992", b'"\\ud800"', b'{"a":1,"a":1}', b"NaN", b"[" * 100_000,
                     b"[" * 33 + b"]" * 33, b'"\xff"', b"[1] ]", b""):
            with self.assertRaises(ledger.Refused, msg=text[:40]):
                log.read_json(text, 1_000_000)


class Command(unittest.TestCase):
    def run_with(self, *arguments):
        said, told = io.StringIO(), io.StringIO()
        keys = [part for key in KEYS for part in ("--key", key.text)]
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
            code = ledger.main([*map(str, arguments), *keys])
        return code, said.getvalue() + told.getvalue()

    def test_it_says_what_it_checked_or_why_it_refuses(self):
        copy = VECTORS / "copy"
        code, said = self.run_with("copy", copy, "--since", VECTORS / "kept-checkpoint")
        self.assertEqual(code, 0, said)
        self.assertIn("260 entries", said)
        code, said = self.run_with("receipt", VECTORS / "receipt.json", "--cleanup", CLEANUP, "--copy", copy)
        self.assertEqual(code, 0, said)
        self.assertIn("in the ledger of 260 entries", said)
        code, said = self.run_with("receipt", VECTORS / "receipt-not-in-ledger.json")
        self.assertEqual((code, "not in the ledger yet" in said), (0, True))
        code, said = self.run_with("receipt", VECTORS / "receipt-superseded.json", "--copy", copy)
        self.assertEqual((code, said.startswith("refused: superseded")), (1, True))


if __name__ == "__main__":
    unittest.main()
