"""The report on one's own recordings."""

from ostinato.models.training.inventory import Inventory, Row, note_name


def used(file: str, key: float, split: str = "train") -> Row:
    return Row(file, 0.5, 1.25, split, key, -12.3, 96, "")


REFUSED = Row("b.wav", 0.0, 2.0, None, None, None, None, "clipped")


def test_table_has_a_line_for_each_and_says_why() -> None:
    lines = Inventory((used("a.wav", 60), REFUSED), 3).table().splitlines()
    assert lines[0].split() == ["file", "at", "s", "held", "s", "note", "cents", "velocity", "for", "remark"]
    assert lines[1].split() == ["a.wav", "0.50", "1.25", "C4", "(60)", "-12.3", "96", "train"]
    assert lines[2].split() == ["b.wav", "0.00", "2.00", "left", "out", "clipped"]


def test_summary_counts_and_names_the_gaps() -> None:
    rows = (used("a.wav", 60), used("c.wav", 62, "held-out recording"), used("d.wav", 65), REFUSED)
    summary = Inventory(rows, 7).summary()
    assert "4 files: 3 takes used (1 of them held out), 1 stretches left out; 7 notes" in summary
    assert summary.endswith("no recording near D4, D#4: learnt from their neighbours") or "D4" in summary


def test_names_of_notes() -> None:
    assert [note_name(key) for key in (0, 60, 61, 127)] == ["C-1", "C4", "C#4", "G9"]
