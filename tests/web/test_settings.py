"""Settings are checked once, name what is wrong and how to mend it, and show where each came from."""

from pathlib import Path

import pytest

from web.settings import Settings, SettingsError, explain, findings, load


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"KLUIS_{name.upper()}", raising=False)


def told(**options: object) -> str:
    """The one line of a refusal."""
    with pytest.raises(SettingsError) as refused:
        load(**options)
    line = str(refused.value)
    assert "\n" not in line
    return line


def test_without_any_setting_the_vault_stands_on_loopback() -> None:
    settings = load()
    assert (settings.base_url, settings.host) == ("http://localhost:8400", "127.0.0.1")
    assert settings.shares_dir == settings.data / "shares"


def test_an_option_beats_the_environment_beats_the_file_beats_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("kluis.toml").write_text('port = 1\nhost = "file"\nlog_clock = 3\n', encoding="utf-8")
    monkeypatch.setenv("KLUIS_PORT", "2")
    monkeypatch.setenv("KLUIS_HOST", "environment")
    settings = load(port=3, host=None)
    assert (settings.port, settings.host, settings.log_clock) == (3, "environment", 3)
    sources = {name: source for name, _, source in explain(settings)}
    assert sources["KLUIS_PORT"] == "option"
    assert sources["KLUIS_HOST"] == "environment"
    assert sources["KLUIS_LOG_CLOCK"] == "kluis.toml"
    assert sources["KLUIS_DATA"] == "default"


@pytest.mark.parametrize("url", ["https://kluis.example", "http://localhost:8400", "https://a.example:8443"])
def test_a_good_address_is_taken_as_it_is(url: str) -> None:
    assert load(base_url=url).base_url == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:8400", "IP address"),
        ("https://[::1]", "IP address"),
        ("https://2130706433", "IP address"),
        ("http://kluis.example", "plain http"),
        ("ftp://kluis.example", "no http(s) address"),
        ("https://", "no http(s) address"),
        ("https://kluis.example/", "must be written https://kluis.example"),
        ("https://KLUIS.example", "must be written https://kluis.example"),
        ("https://kluis.example:443", "must be written https://kluis.example"),
        ("https://user@kluis.example", "must be written https://kluis.example"),
        ("https://kluis.example:99999", "ort"),
    ],
)
def test_a_bad_address_is_refused_with_the_reason(url: str, why: str) -> None:
    line = told(base_url=url)
    assert "KLUIS_BASE_URL" in line
    assert why in line


def test_a_wrong_value_names_its_setting_and_how_to_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KLUIS_PORT", "many")
    line = told()
    assert "KLUIS_PORT='many'" in line
    assert "1 to 65535" in line


def test_a_name_that_is_no_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KLUIS_DATTA", "x")
    assert "KLUIS_DATTA is not a setting" in told()


def test_a_name_that_is_no_setting_is_refused_in_the_file_too() -> None:
    Path("kluis.toml").write_text("datta = 1\n", encoding="utf-8")
    assert "datta in kluis.toml is not a setting" in told()


def test_a_broken_file_is_refused_in_one_line() -> None:
    Path("kluis.toml").write_text("port = = 1\n", encoding="utf-8")
    assert "kluis.toml is not TOML" in told()


def test_a_custodian_is_a_file_outside_the_data_directory() -> None:
    assert "a kind this version does not know" in told(custodian="kms:key")
    assert "names no file" in told(custodian="file:")
    inside = load(custodian="file:kluis-data/custodian")
    with pytest.raises(SettingsError, match="inside the data directory"):
        _ = inside.custodian_uri
    with pytest.raises(SettingsError, match="KLUIS_CUSTODIAN is not set"):
        _ = load().custodian_uri
    assert load(custodian="file:elsewhere/key").custodian_uri == "file:elsewhere/key"


def test_a_custodian_may_be_a_token_whose_pin_lies_outside_the_data_directory_and_in_no_setting() -> None:
    uri = "pkcs11:token=a;object=b?module-path=/usr/lib/m.so&pin-source=file:{}"
    assert load(custodian=uri.format("/etc/kluis/pin")).custodian_uri == uri.format("/etc/kluis/pin")
    with pytest.raises(SettingsError, match="inside the data directory"):
        _ = load(custodian=uri.format(Path("kluis-data/pin").resolve())).custodian_uri
    assert "is not pkcs11:token=LABEL" in told(custodian="pkcs11:token=a")
    refused = told(custodian=uri.format("/p") + "&pin-value=1234")
    assert "put it in a file" in refused and "1234" not in refused


def test_the_check_warns_when_shares_lie_beside_the_vault() -> None:
    assert any(line.startswith("KLUIS_SHARES") for line in findings(load()))
