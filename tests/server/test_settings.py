import pytest

from ostinato.server.settings import SettingsError, read_settings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OSTINATO_HOST", "OSTINATO_PORT", "OSTINATO_MODELS", "OSTINATO_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_settings_come_from_the_environment_and_arguments_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_PORT", "9000")
    monkeypatch.setenv("OSTINATO_MODELS", "tiny, r32")
    settings = read_settings(slots=4, port=None)
    assert (settings.port, settings.models, settings.slots) == (9000, ("tiny", "r32"), 4)
    assert read_settings(port=1).port == 1


def test_an_unknown_variable_is_refused_by_name_and_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_PROT", "9000")
    with pytest.raises(SettingsError, match=r"OSTINATO_PROT: .*'9000'"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "70000"),
        ("ENGINE", "gpu"),
        ("PRECISION", "int4"),
        ("THREADS", "0"),
        ("THREADS", "many"),
        ("SLOTS", "0"),
        ("LEAD_MS", "5"),
        ("LEAD_MS", "nan"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_malformed_value_is_refused_by_name_and_value(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"OSTINATO_{name}", value)
    with pytest.raises(SettingsError, match=f"OSTINATO_{name}") as refusal:
        read_settings()
    assert value in str(refusal.value)


def test_to_be_reachable_from_elsewhere_takes_a_key_or_plain_words() -> None:
    with pytest.raises(SettingsError, match=r"0\.0\.0\.0.*OSTINATO_API_KEY"):
        read_settings(host="0.0.0.0")
    assert read_settings(host="0.0.0.0", api_key="long enough").api_key
    assert read_settings(host="0.0.0.0", allow_no_key=True).api_key is None
    assert read_settings(host="::1").host == "::1"


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_API_KEY", "short")
    with pytest.raises(SettingsError) as refusal:
        read_settings()
    assert "short" not in str(refusal.value).replace("too short", "")
    assert "secretive" not in repr(read_settings(api_key="secretive"))
