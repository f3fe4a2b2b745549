import pytest

from mixers.quantity import parse_quantity


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10B", 10_000_000_000),
        ("2M", 2_000_000),
        ("300k", 300_000),
        ("2.5m", 2_500_000),
        ("0.3B", 300_000_000),
        ("1_000", 1000),
        (" 7 K ", 7000),
        (42, 42),
        (1e9, 10**9),
        ("15T", 15 * 10**12),
    ],
)
def test_reads_counts_as_people_write_them(written, meant):
    assert parse_quantity(written) == meant


@pytest.mark.parametrize(
    "written", ["", "B", "1.5", "-3", "ten", "1e3", "1.0005k", "3 apples", -1, 2.5, True, None, "１٣"]
)
def test_refuses_what_is_no_whole_count(written):
    with pytest.raises(ValueError, match="is not a count"):
        parse_quantity(written)
