"""The queue as it is kept: batches and their items in SQLite, so that what was accepted outlives the process.

Blocking, and of one thread: that which made it.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from ostinato.server.batches.plan import Planned
from ostinato.server.batches.rows import Claim, Kept, KeptItem, Standing, Tally

VERSION: Final = 2
LISTED: Final = 100  # batches, and failures of one
SCHEMA: Final = f"""
CREATE TABLE batches (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    key TEXT,                 -- Idempotency-Key
    digest BLOB NOT NULL,     -- of the request
    created REAL NOT NULL,    -- seconds since 1970
    ended REAL,
    cancelled INTEGER NOT NULL DEFAULT 0  -- its files are removed; it may have been over before
);
CREATE UNIQUE INDEX batches_by_key ON batches (owner, key) WHERE key IS NOT NULL;
CREATE INDEX batches_by_end ON batches (ended);
CREATE TABLE items (
    batch INTEGER NOT NULL REFERENCES batches (seq) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    request TEXT NOT NULL,    -- JSON, nothing left open
    options TEXT NOT NULL,    -- JSON: the same without its notes, which may be thousands
    model TEXT NOT NULL,
    seconds REAL NOT NULL,    -- of its sound
    most_bytes INTEGER NOT NULL,
    warnings TEXT NOT NULL,   -- a JSON list
    state TEXT NOT NULL DEFAULT 'queued',
    bytes INTEGER,            -- of the file, once it is there
    error TEXT,               -- JSON
    PRIMARY KEY (batch, n)
);
CREATE INDEX items_by_state ON items (batch, state, n, model, seconds, most_bytes);
PRAGMA user_version = {VERSION};
"""
# what a queue of version 1 lacks
MIGRATION: Final = f"""
ALTER TABLE items ADD COLUMN options TEXT NOT NULL DEFAULT '{{}}';
UPDATE items SET options = json_remove(request, '$.notes', '$.midi');
PRAGMA user_version = {VERSION};
"""
OPEN: Final = "FROM items JOIN batches ON batch = seq WHERE ended IS NULL AND state IN ('queued', 'running')"


class StoreError(Exception):
    """A database that can't be used; the message tells why."""


class Store:
    """The database, at a path. What `add` returned from stays, whatever becomes of process or machine.

    Raises:
        StoreError: where it can't be used.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._db.executescript(f"BEGIN;{SCHEMA}COMMIT;")
            elif version == 1:
                self._db.executescript(f"BEGIN;{MIGRATION}COMMIT;")
            elif version != VERSION:
                raise StoreError(f"{path} is of version {version}; this server has {VERSION}")
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}") from error
        self._turns: dict[str, int] = {}  # of owners: when each had its last

    def close(self) -> None:
        """Write the log back, and let go."""
        self._db.close()

    def add(self, batch_id: str, owner: str, key: str | None, digest: bytes, items: Sequence[Planned]) -> None:
        """Keep a batch, all of it or nothing. Raises sqlite3.Error."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            seq = self._db.execute(
                "INSERT INTO batches (id, owner, key, digest, created) VALUES (?, ?, ?, ?, ?)",
                (batch_id, owner, key, digest, time.time()),
            ).lastrowid
            self._db.executemany(
                "INSERT INTO items (batch, n, request, options, model, seconds, most_bytes, warnings)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (seq, n, i.request, i.options, i.model, i.seconds, i.most_bytes, json.dumps(i.warnings))
                    for n, i in enumerate(items)
                ),
            )

    def named(self, batch_id: str, owner: str) -> Kept | None:
        """A batch of an owner."""
        return self._batch("id = ? AND owner = ?", batch_id, owner)

    def keyed(self, key: str, owner: str) -> Kept | None:
        """The batch that an owner made with an Idempotency-Key."""
        return self._batch("key = ? AND owner = ?", key, owner)

    def owned(self, owner: str) -> list[Kept]:
        """The last batches of an owner, the newest first."""
        return self._batches("owner = ? ORDER BY seq DESC LIMIT ?", owner, LISTED)

    def open_batches(self, owner: str) -> int:
        """How many of an owner's batches are not over."""
        return int(self._number("SELECT count(*) FROM batches WHERE owner = ? AND ended IS NULL", owner))

    def promised_bytes(self) -> int:
        """What files that are still to be made take at most."""
        return int(self._number(f"SELECT sum(most_bytes) {OPEN}"))

    def seconds_ahead(self, seq: int) -> float:
        """What is to be drawn until a batch is done, if those before it go first."""
        return self._number(f"SELECT sum(seconds) {OPEN} AND seq <= ?", seq)

    def standing(self, batch_id: str, owner: str) -> Standing | None:
        """How a batch of an owner stands."""
        kept = self.named(batch_id, owner)
        return None if kept is None else self._standing(kept)

    def standings(self, owner: str) -> list[Standing]:
        """How the last batches of an owner stand, the newest first."""
        return [self._standing(kept) for kept in self.owned(owner)]

    def tallies(self, seq: int) -> list[Tally]:
        """How many items of a batch are in each state."""
        rows = self._db.execute(
            "SELECT state, count(*), sum(seconds) FROM items WHERE batch = ? GROUP BY state", (seq,)
        )
        return [Tally(*row) for row in rows]

    def failures(self, seq: int) -> list[tuple[int, str]]:
        """The first items of a batch that failed, each with its error as JSON."""
        query = "SELECT n, error FROM items WHERE batch = ? AND state = 'failed' ORDER BY n LIMIT ?"
        return self._db.execute(query, (seq, LISTED)).fetchall()

    def items(self, seq: int, first: int, limit: int) -> list[KeptItem]:
        """Some items of a batch, in order."""
        query = (
            "SELECT n, options, seconds, state, bytes, error, warnings"
            " FROM items WHERE batch = ? AND n >= ? ORDER BY n LIMIT ?"
        )
        return [KeptItem(*row) for row in self._db.execute(query, (seq, first, limit))]

    def claim(self, models: Iterable[str]) -> Claim | None:
        """The next item, of one of these models: of the owner who waits longest, the oldest batch first."""
        names = list(models)
        marks = ",".join("?" * len(names))
        batches = self._batches("ended IS NULL ORDER BY seq")
        for batch in sorted(batches, key=lambda b: (self._turns.get(b.owner, 0), b.seq)):
            row = self._db.execute(
                "UPDATE items SET state = 'running' WHERE batch = ? AND n = ("
                f"SELECT n FROM items WHERE batch = ? AND state = 'queued' AND model IN ({marks}) ORDER BY n LIMIT 1)"
                " RETURNING n, request, seconds, most_bytes",
                (batch.seq, batch.seq, *names),
            ).fetchall()
            if row:
                self._turns[batch.owner] = 1 + max(self._turns.values(), default=0)
                return Claim(batch.seq, batch.id, *row[0])
        return None

    def finish(self, claim: Claim, size: int) -> bool:
        """An item's file is there; whether it is wanted still."""
        return self._settle(claim, "done", size, None)

    def fail(self, claim: Claim, error: str) -> None:
        """An item can't be had."""
        self._settle(claim, "failed", None, error)

    def put_back(self, claim: Claim) -> None:
        """An item waits for its turn again."""
        query = "UPDATE items SET state = 'queued' WHERE batch = ? AND n = ? AND state = 'running'"
        self._db.execute(query, (claim.seq, claim.n))

    def put_all_back(self) -> int:
        """Every item that was being drawn waits for its turn again: how many there were."""
        return self._db.execute(
            "UPDATE items SET state = 'queued' WHERE state = 'running'"
            " AND batch IN (SELECT seq FROM batches WHERE ended IS NULL)"
        ).rowcount

    def give_up(self, models: Iterable[str], accepted_before: float, error: str) -> int:
        """Fail what waits since then for a model that is none of these: how many items there were."""
        names = list(models)
        marks = ",".join("?" * len(names))
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            failed = self._db.execute(
                f"UPDATE items SET state = 'failed', error = ? WHERE state = 'queued' AND model NOT IN ({marks})"
                " AND batch IN (SELECT seq FROM batches WHERE ended IS NULL AND created < ?)",
                (error, *names, accepted_before),
            ).rowcount
            if failed:
                self._end("1")
        return failed

    def lost(self, there: Collection[tuple[str, int]]) -> int:
        """What is done but whose file is not among these, by batch and item, waits for its turn again: how many."""
        query = "SELECT seq, id, n FROM items JOIN batches ON batch = seq WHERE state = 'done' AND NOT cancelled"
        lost = [(seq, n) for seq, batch_id, n in self._db.execute(query) if (batch_id, n) not in there]
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            again = "UPDATE items SET state = 'queued', bytes = NULL WHERE batch = ? AND n = ?"
            self._db.executemany(again, lost)
            self._db.executemany("UPDATE batches SET ended = NULL WHERE seq = ?", {(seq,) for seq, _ in lost})
        return len(lost)

    def cancel(self, seq: int) -> None:
        """Nothing more of a batch is wanted, nor its files. What became of the items of one that is over is kept."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            query = (
                "UPDATE items SET state = 'cancelled', bytes = NULL WHERE batch = ? AND state != 'failed'"
                " AND batch IN (SELECT seq FROM batches WHERE ended IS NULL)"
            )
            self._db.execute(query, (seq,))
            query = "UPDATE batches SET cancelled = 1, ended = coalesce(ended, ?) WHERE seq = ?"
            self._db.execute(query, (time.time(), seq))

    def forget(self, ended_before: float) -> list[str]:
        """Forget the batches that were over by then: their ids."""
        rows = self._db.execute("DELETE FROM batches WHERE ended < ? RETURNING id", (ended_before,))
        return [batch_id for (batch_id,) in rows.fetchall()]

    def ids(self) -> set[str]:
        """Of all batches whose files may be there."""
        return {batch_id for (batch_id,) in self._db.execute("SELECT id FROM batches WHERE NOT cancelled")}

    def _settle(self, claim: Claim, state: str, size: int | None, error: str | None) -> bool:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            settled = self._db.execute(
                "UPDATE items SET state = ?, bytes = ?, error = ? WHERE batch = ? AND n = ? AND state = 'running'",
                (state, size, error, claim.seq, claim.n),
            ).rowcount
            self._end("seq = ?", claim.seq)
        return settled == 1

    def _end(self, condition: str, *values: object) -> None:
        """Batches that have nothing left to be drawn are over."""
        self._db.execute(
            f"UPDATE batches SET ended = ? WHERE {condition} AND ended IS NULL AND NOT EXISTS"
            " (SELECT 1 FROM items WHERE batch = seq AND state IN ('queued', 'running'))",
            (time.time(), *values),
        )

    def _standing(self, kept: Kept) -> Standing:
        if kept.ended is not None:
            return Standing(kept, self.tallies(kept.seq), self.failures(kept.seq), 0.0, set())
        query = "SELECT DISTINCT model FROM items WHERE batch = ? AND state = 'queued'"
        models = {model for (model,) in self._db.execute(query, (kept.seq,))}
        return Standing(kept, self.tallies(kept.seq), self.failures(kept.seq), self.seconds_ahead(kept.seq), models)

    def _batch(self, condition: str, *values: object) -> Kept | None:
        return next(iter(self._batches(condition, *values)), None)

    def _batches(self, condition: str, *values: object) -> list[Kept]:
        query = f"SELECT seq, id, owner, digest, created, ended, cancelled FROM batches WHERE {condition}"
        return [Kept(*row) for row in self._db.execute(query, values)]

    def _number(self, query: str, *values: object) -> float:
        return self._db.execute(query, values).fetchone()[0] or 0
