"""Sounds that are files first: in the data folder, where there is room for them, and otherwise refused beforehand."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import httpx
import pytest

from ostinato.server.protocol import ProtocolError
from ostinato.server.sound.scratch import Scratch
from tests.server.serving import Serving, eventually, serving

NOTES = [{"note": 60, "duration_s": 0.1}]


def synthesized(server: Serving, sound_format: str, **body: object) -> httpx.Response:
    asked = {"notes": NOTES, "format": sound_format, **body}
    return httpx.post(f"{server.url}/v1/audio/synthesize", json=asked, timeout=60)


def test_what_has_no_room_is_refused_and_what_needs_none_is_sent() -> None:
    with serving(least_free_bytes=2**60) as server:
        refused = synthesized(server, "flac")
        error = refused.json()["error"]
        assert (refused.status_code, error["code"], error["param"]) == (507, "no_space", "format")
        assert str(2**60) in error["message"]
        assert synthesized(server, "wav").status_code == 200


def test_a_folder_that_cannot_be_used_is_told_without_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with serving(data=tmp_path / "file" / "data") as server:
        refused = synthesized(server, "mp3")
        assert (refused.status_code, refused.json()["error"]["code"]) == (507, "no_space")
        assert str(tmp_path) not in refused.text


def test_room_is_given_back_once_a_sound_is_sent_or_its_client_is_gone() -> None:
    with serving(duration_s=3600) as server:
        assert synthesized(server, "flac").status_code == 200
        assert eventually(lambda: server.service.scratch._promised == 0)
        asked = {"notes": [{"note": 60, "duration_s": 1800}], "format": "flac"}
        with httpx.stream("POST", f"{server.url}/v1/audio/synthesize", json=asked, timeout=60) as sent:
            assert sent.status_code == 200
            assert server.service.scratch._promised > 0
        assert eventually(lambda: server.service.scratch._promised == 0)


def test_room_that_is_promised_is_nobody_elses(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    scratch = Scratch(tmp_path, 0)

    async def both() -> None:
        async with scratch.room(free * 2 // 3):
            with pytest.raises(ProtocolError, match="are for others"):
                async with scratch.room(free * 2 // 3):
                    pass
        async with scratch.room(free * 2 // 3):
            pass

    asyncio.run(both())


def test_a_file_is_in_the_folder_which_is_made_for_it(tmp_path: Path) -> None:
    with Scratch(tmp_path / "data", 0).file() as file:
        assert (tmp_path / "data").stat().st_dev == Path(f"/proc/self/fd/{file.fileno()}").stat().st_dev
        assert str(tmp_path / "data") in str(Path(f"/proc/self/fd/{file.fileno()}").readlink())
