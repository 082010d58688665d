"""Armed faults strike the requests they are meant for, as often as they were armed for."""

import pytest

from trader.exchange.rest_faults import MOST_ARMED, RestFault, RestFaults


def test_a_fault_strikes_only_what_begins_with_its_match() -> None:
    faults = RestFaults()
    fault = RestFault(kind="lost", match="POST /v2/orders")
    faults.arm(fault)
    assert faults.take("GET", "/v2/orders") is None
    assert faults.take("POST", "/v2/watchlists") is None
    assert faults.take("POST", "/v2/orders") is fault
    assert faults.take("POST", "/v2/orders") is None


def test_a_fault_strikes_as_often_as_it_was_armed_for_and_the_oldest_first() -> None:
    faults = RestFaults()
    faults.arm(RestFault(kind="late", count=2))
    faults.arm(RestFault(kind="garbage"))
    struck = [faults.take("GET", "/v2/clock") for _ in range(4)]
    assert [fault and fault.kind for fault in struck] == ["late", "late", "garbage", None]


def test_more_faults_than_a_script_needs_are_refused() -> None:
    faults = RestFaults()
    for _ in range(MOST_ARMED):
        faults.arm(RestFault(kind="lost"))
    with pytest.raises(ValueError, match="1000 faults are armed"):
        faults.arm(RestFault(kind="lost"))


@pytest.mark.parametrize("wrong", [{"count": 0}, {"delay_s": -1}, {"delay_s": 601}, {"status": 200}])
def test_a_fault_that_could_never_strike_or_end_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        RestFault(kind="late", **wrong)  # type: ignore[arg-type]
