"""The strict checks notice what the SDK itself would let pass."""

import pytest
from airweave.types import SourceConnectionJob

from support.wire import check_object

GOOD = {
    "id": "00000000-0000-4000-8000-000000000000",
    "source_connection_id": "00000000-0000-4000-8000-000000000000",
    "status": "completed",
    "started_at": "2026-01-01T00:00:00.25Z",
    "completed_at": "2026-01-01T00:00:01Z",
    "duration_seconds": 0.75,
    "entities_inserted": 1,
    "entities_updated": 0,
    "entities_deleted": 0,
    "entities_failed": 0,
    "error": None,
    "error_category": None,
    "error_details": None,
}


def test_a_good_answer_passes() -> None:
    check_object(SourceConnectionJob, GOOD)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "COMPLETED"},
        {"error_category": "unheard_of"},
        {"started_at": "2026-01-01T00:00:00"},
        {"entities_inserted": "1"},
        {"duration_seconds": None, "surprise": 1},
    ],
)
def test_a_value_that_the_sdk_would_let_pass_is_noticed(change: dict[str, object]) -> None:
    raw = GOOD | change
    SourceConnectionJob.model_validate(raw)
    with pytest.raises((ValueError, AssertionError)):
        check_object(SourceConnectionJob, raw)


@pytest.mark.parametrize("missing", ["error_details", "entities_failed"])
def test_a_missing_field_is_noticed(missing: str) -> None:
    raw = {name: value for name, value in GOOD.items() if name != missing}
    SourceConnectionJob.model_validate(raw)
    with pytest.raises(AssertionError, match=f"{missing} is missing"):
        check_object(SourceConnectionJob, raw)
