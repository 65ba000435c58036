"""A server that is killed, or told to stop, in the middle of a batch loses nothing that it accepted."""

from __future__ import annotations

import random
import signal
from pathlib import Path

from tests.server.batches.kill_nine import asked, kill_nine
from tests.server.batches.posting import all_decoded, done, posted, status
from tests.server.processes import process
from tests.server.serving import eventually


def test_a_server_killed_again_and_again_makes_what_an_undisturbed_one_makes() -> None:
    seed = random.SystemRandom().getrandbits(32)
    told = [f"seed {seed}"]
    seen = kill_nine(30, 3, "tiny", random.Random(seed), told.append, seconds=4.0)
    assert seen.whole, told
    assert len(set(seen.disturbed)) == 30, told
    assert all(counts["queued"] + counts["running"] for counts in seen.kills), told


def test_a_server_killed_as_soon_as_it_accepted_has_the_batch(tmp_path: Path) -> None:
    with process(OSTINATO_DATA=str(tmp_path)) as server:
        batch = posted(server, asked(10))
        server.process.kill()
    with process(OSTINATO_DATA=str(tmp_path)) as server:
        assert done(server, batch)["counts"]["done"] == 10


def test_sigterm_ends_well_in_the_middle_of_a_batch_which_goes_on_after_the_next_start(tmp_path: Path) -> None:
    note = {"notes": [{"note": 60, "duration_s": 60}], "seed": 4}
    with process(OSTINATO_DATA=str(tmp_path)) as server:
        batch = posted(server, [note] * 6)
        assert eventually(lambda: status(server, batch)["progress"] > 0.0)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20.0) == 0
    with process(OSTINATO_DATA=str(tmp_path)) as server:
        assert done(server, batch)["counts"]["done"] == 6
        assert len(set(all_decoded(server, batch, 6))) == 1
