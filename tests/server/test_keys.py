import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ostinato.server.keys import NAME, Keys, parse_keys
from ostinato.server.settings import SettingsError, read_settings

KEYS = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=8, max_size=40)


@given(st.dictionaries(st.from_regex(NAME, fullmatch=True), KEYS, max_size=5), KEYS)
def test_a_key_is_its_owners_and_any_other_is_nobodys(keys: dict[str, str], other: str) -> None:
    read = parse_keys([f" {name} : {key} " for name, key in keys.items()])
    assert {name: key.get_secret_value() for name, key in read.items()} == keys
    known = Keys(read)
    assert bool(known) == bool(keys)
    for name, key in keys.items():
        assert keys[known.owner_of(key) or ""] == key
        assert known.owner_of(key[:-1]) != name
    if other not in keys.values():
        assert known.owner_of(other) is None


@given(st.text(max_size=30))
def test_any_text_is_taken_or_refused_without_being_shown(key: str) -> None:
    refusal = ""
    try:
        parse_keys([f"alice:{key}"])
    except ValueError as error:
        refusal = str(error)
    assert len(key.strip()) < 8 or key.strip() not in refusal


def test_keys_come_by_name_from_the_environment_and_a_file_beside_the_one_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    file.write_text("# who may play\n\ncarol: of-carol,and:all\n")
    monkeypatch.setenv("OSTINATO_API_KEY", "of-nobody")
    monkeypatch.setenv("OSTINATO_API_KEYS", "alice:of-alice, bob:of-bobby")
    monkeypatch.setenv("OSTINATO_API_KEYS_FILE", str(file))
    settings = read_settings(host="0.0.0.0")
    told = {owner: key.get_secret_value() for owner, key in settings.keys.items()}
    assert told == {"default": "of-nobody", "alice": "of-alice", "bob": "of-bobby", "carol": "of-carol,and:all"}
    assert not any(key in repr(settings) for key in told.values())


def test_named_keys_alone_let_a_server_be_reached_from_elsewhere() -> None:
    assert read_settings(host="0.0.0.0", api_keys="alice:of-alice").keys


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("hidden-secret", r"entry 1 is not name:key"),
        ("alice:hidden-one,bob", r"entry 2 is not name:key"),
        ("al ice:hidden-one", r"entry 1 is not name:key"),
        ("alice:hid", r"entry 1 \('alice'\): a key of 3 characters is too short; it has at least 8"),
        ("alice:hidden-\xe9\xe8", r"entry 1 \('alice'\): .*printable ASCII"),
        ("alice:hidden-one,alice:hidden-two", r"entry 2: 'alice' has a key already"),
        ("alice:hidden-one,bob:hidden-one", r"'alice' and 'bob' have the same key"),
        ("default:hidden-one", r"'default' has two keys"),
    ],
)
def test_malformed_keys_are_refused_by_their_place_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, keys: str, told: str
) -> None:
    monkeypatch.setenv("OSTINATO_API_KEYS", keys)
    monkeypatch.setenv("OSTINATO_API_KEY", "hidden-single")
    with pytest.raises(SettingsError, match=f"OSTINATO_API_KEYS.*{told}") as refusal:
        read_settings()
    assert "hid" not in str(refusal.value)


def test_a_file_of_keys_that_cannot_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"OSTINATO_API_KEYS_FILE.*No such file.*nonesuch"):
        read_settings(api_keys_file=str(tmp_path / "nonesuch"))
    (tmp_path / "keys").write_bytes(b"alice:\xff\xff\xff\xff\xff\xff\xff\xff")
    with pytest.raises(SettingsError, match="no UTF-8"):
        read_settings(api_keys_file=str(tmp_path / "keys"))


def test_a_misspelt_name_of_a_key_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_API_KYE", "hidden-secret")
    with pytest.raises(SettingsError, match="OSTINATO_API_KYE") as refusal:
        read_settings()
    assert "hidden" not in str(refusal.value)


def test_no_attribute_holds_a_key() -> None:
    assert "hidden" not in repr(vars(Keys({"alice": SecretStr("hidden-secret")})))
