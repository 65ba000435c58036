"""A generated text stands between its markers and nowhere else."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.models.benching.markers import BENCH, MarkerError, check_markers, write_between_markers

BEGIN, END = f"<!-- {BENCH} -->", f"<!-- /{BENCH} -->"

ROOT = Path(__file__).parents[3]
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r<"))


@given(head=texts, old=texts, tail=texts, new=texts)
def test_only_what_stands_between_the_markers_changes_and_again_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, head: str, old: str, tail: str, new: str
) -> None:
    path = tmp_path_factory.mktemp("markers") / "README.md"
    path.write_text(f"{head}{BEGIN}{old}{END}{tail}", encoding="utf-8")
    write_between_markers(path, new)
    once = path.read_text(encoding="utf-8")
    assert once == f"{head}{BEGIN}\n{new.strip()}\n{END}{tail}"
    write_between_markers(path, new)
    assert path.read_text(encoding="utf-8") == once


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("no place", f"'{BEGIN}' stands there 0 times, expected once"),
        (f"{BEGIN} and no end", f"'{END}' stands there 0 times"),
        (f"{BEGIN}{END}{BEGIN}", f"'{BEGIN}' stands there 2 times"),
        (f"{END}{BEGIN}", f"'{END}' stands before '{BEGIN}'"),
    ],
)
def test_a_file_without_a_place_is_refused_and_left_alone(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(MarkerError, match=fault):
        check_markers(path)
    with pytest.raises(MarkerError, match=r"README\.md"):
        write_between_markers(path, "table")
    assert path.read_text(encoding="utf-8") == content


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MarkerError, match=r"none\.md"):
        check_markers(tmp_path / "none.md")


def test_the_readme_has_a_place() -> None:
    check_markers(ROOT / "README.md")
