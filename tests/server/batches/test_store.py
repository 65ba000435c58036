"""What the queue keeps, and whose turn it is."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.batches.plan import Planned
from ostinato.server.batches.rows import Claim
from ostinato.server.batches.store import Store, StoreError
from ostinato.server.protocol import SynthesizeOptions


def planned(model: str = "tiny") -> Planned:
    return Planned('{"seed": 1}', "{}", model, 2.0, 1000)


def filled(store: Store, name: str, owner: str = "", items: int = 3, key: str | None = None) -> None:
    store.add(name, owner, key, b"digest", [planned()] * items)


def claimed(store: Store) -> Claim:
    claim = store.claim(["tiny"])
    assert claim is not None
    return claim


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "queue")


def test_what_was_accepted_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    first = Store(tmp_path / "queue")
    filled(first, "a")
    first.finish(claimed(first), 10)
    claimed(first)
    second = Store(tmp_path / "queue")  # the first was never closed
    assert second.put_all_back() == 1
    kept = second.named("a", "")
    assert kept is not None
    assert {t.state: t.items for t in second.tallies(kept.seq)} == {"done": 1, "queued": 2}
    assert [claimed(second).n, claimed(second).n] == [1, 2]


def test_a_batch_is_over_once_no_item_is_left(store: Store) -> None:
    filled(store, "a", items=2)
    store.finish(claimed(store), 10)
    kept = store.named("a", "")
    assert kept is not None
    assert kept.ended is None
    store.fail(claimed(store), '{"code": "why"}')
    kept = store.named("a", "")
    assert kept is not None
    assert kept.ended is not None
    assert store.failures(kept.seq) == [(1, '{"code": "why"}')]
    assert store.claim(["tiny"]) is None


def test_an_item_that_is_put_back_is_the_next_again(store: Store) -> None:
    filled(store, "a")
    store.put_back(claimed(store))
    assert claimed(store).n == 0


def test_models_that_are_not_served_are_waited_for(store: Store) -> None:
    store.add("a", "", None, b"", [planned("other"), planned("tiny")])
    assert claimed(store).n == 1
    assert store.claim(["tiny"]) is None
    assert store.claim(["other"]) is not None


def test_what_was_cancelled_meanwhile_is_not_wanted(store: Store) -> None:
    filled(store, "a", items=2)
    claim = claimed(store)
    store.cancel(claim.seq)
    assert not store.finish(claim, 10)
    assert store.claim(["tiny"]) is None
    assert [item.state for item in store.items(claim.seq, 0, 9)] == ["cancelled", "cancelled"]


@given(st.lists(st.integers(1, 6), min_size=2, max_size=4))
def test_owners_take_turns_however_much_each_asks_for(sizes: list[int]) -> None:
    store = Store(Path(":memory:"))
    for owner, items in enumerate(sizes):
        filled(store, f"batch of {owner}", str(owner), items)
    taken: Counter[str] = Counter()
    while (claim := store.claim(["tiny"])) is not None:
        taken[claim.batch] += 1
        left = [taken[f"batch of {owner}"] for owner, items in enumerate(sizes) if taken[f"batch of {owner}"] < items]
        assert not left or max(left) - min(left) <= 1
    assert sum(taken.values()) == sum(sizes)


def test_a_batch_is_its_owners_alone(store: Store) -> None:
    filled(store, "a", "alice", key="once")
    filled(store, "b", "bob", key="once")
    assert store.named("a", "bob") is None
    mine = store.keyed("once", "bob")
    assert mine is not None
    assert mine.id == "b"
    with pytest.raises(sqlite3.IntegrityError):
        filled(store, "c", "bob", key="once")
    assert [kept.id for kept in store.owned("bob")] == ["b"]


def test_what_is_still_to_come_is_promised(store: Store) -> None:
    filled(store, "a", items=2)
    filled(store, "b", items=3)
    assert store.promised_bytes() == 5000
    claim = claimed(store)
    assert store.promised_bytes() == 5000
    assert (store.seconds_ahead(claim.seq), store.seconds_ahead(claim.seq + 1)) == (4.0, 10.0)
    store.finish(claim, 10)
    assert store.promised_bytes() == 4000


def test_what_was_over_long_ago_is_forgotten_with_its_items(store: Store) -> None:
    filled(store, "a", items=1)
    filled(store, "b", items=1)
    claim = claimed(store)
    store.finish(claim, 10)
    assert store.forget(time.time() - 60.0) == []
    assert store.forget(time.time() + 60.0) == ["a"]
    assert store.items(claim.seq, 0, 9) == []
    assert store.ids() == {"b"}


def test_a_database_of_another_version_or_none_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "later") as later:
        later.execute("PRAGMA user_version = 9")
    with pytest.raises(StoreError, match="version 9"):
        Store(tmp_path / "later")
    (tmp_path / "none").write_bytes(b"no database, and long enough for that to be seen" * 99)
    with pytest.raises(StoreError, match="not a database"):
        Store(tmp_path / "none")


def test_a_queue_of_the_first_version_is_carried_on(tmp_path: Path) -> None:
    first = Store(tmp_path / "queue")
    request = f'{{"model":"tiny","seed":{2**64 - 1},"format":"flac","sample_rate":44100,"notes":[{{"note":60.0}}]}}'
    first.add("a", "", None, b"", [Planned(request, "", "tiny", 2.0, 1000)])
    first.close()
    with sqlite3.connect(tmp_path / "queue") as older:
        older.execute("ALTER TABLE items DROP COLUMN options")
        older.execute("PRAGMA user_version = 1")
    second = Store(tmp_path / "queue")
    (kept,) = second.items(1, 0, 9)
    assert SynthesizeOptions.model_validate_json(kept.options) == SynthesizeOptions(
        model="tiny", seed=2**64 - 1, format="flac", sample_rate=44100
    )
    assert claimed(second).request == request


def test_what_waits_for_no_served_model_for_too_long_is_given_up(store: Store) -> None:
    store.add("a", "", None, b"", [planned("other"), planned("tiny")])
    filled(store, "b")
    assert store.give_up(["tiny"], time.time() - 60.0, "{}") == 0
    assert store.give_up(["tiny"], time.time() + 60.0, "{}") == 1
    kept = store.named("a", "")
    assert kept is not None
    assert kept.ended is None
    assert claimed(store).n == 1
    assert store.give_up([], time.time() + 60.0, "{}") == 3
    kept = store.named("b", "")
    assert kept is not None
    assert kept.ended is not None


def test_what_is_done_and_has_no_file_waits_again(store: Store) -> None:
    filled(store, "a", items=2)
    store.finish(claimed(store), 10)
    store.finish(claimed(store), 10)
    assert store.lost({("a", 0), ("a", 1)}) == 0
    assert store.lost({("a", 1)}) == 1
    kept = store.named("a", "")
    assert kept is not None
    assert kept.ended is None
    assert claimed(store).n == 0
