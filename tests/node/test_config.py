"""config.toml: what a site may write, and the one line it gets for what it may not."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from dicom_templates.kinds import Item
from dicom_templates.profile import Rendering, ReportClass
from node.config import Config, Node, load_config
from node.errors import ConfigError
from node.match import MatchingRules
from node.peer import Peer, Profile

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = REPOSITORY / "config.toml"
PEER = '[[peer]]\nname = "pacs"\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 104\n'
TLS_FILES = '[tls]\ncertificate = "ours.pem"\nkey = "/etc/ours.key"\nauthorities = "peers.pem"\n'


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "config.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_an_empty_file_is_a_valid_configuration(write) -> None:
    path = write("")
    config = load_config(path)
    assert config.node.ae_title == "RESTAGE"
    assert config.node.port == 11112
    assert config.node.data_dir == path.parent / "data"
    assert config.database_url == f"sqlite:///{path.parent}/data/restage.sqlite"
    assert config.peers == ()
    assert config.results.phantom_scores is False
    assert config.matching.rules() == MatchingRules(21, 400, 14, 730)
    assert config.bundles_dir == REPOSITORY / "pipelines" / "bundles"


def test_the_shipped_file_says_what_the_defaults_are() -> None:
    shipped = load_config(SHIPPED)
    assert shipped.node.data_dir == REPOSITORY / "data"
    node = shipped.node.model_copy(update={"data_dir": Path("data")})
    assert shipped.model_copy(update={"node": node}) == Config()


def test_the_shipped_file_names_every_key_with_a_comment_above_it() -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    shipped = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    for section, field in Config.model_fields.items():
        if section in {"peers", "series_rules"}:
            continue
        known = {inner.alias or name for name, inner in field.annotation.model_fields.items()}  # type: ignore[union-attr]
        assert set(shipped[section]) == known
    keys = [index for index, line in enumerate(lines) if line and line[0] not in "#["]
    for index in keys:
        start = next(above for above in range(index - 1, -1, -1) if above not in keys)
        assert lines[start].startswith("# "), f"no comment above {lines[index]}"


def test_the_commented_example_peer_is_itself_valid(write) -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    start = lines.index("# [[peer]]")
    example = [line.removeprefix("# ") for line in lines[start : lines.index("", start)]]
    (peer,) = load_config(write("\n".join(example))).peers
    assert (peer.name, peer.sends, peer.receives) == ("pacs", True, True)
    keys = {line.split(" = ")[0] for line in example[1:] if " = " in line}
    assert keys == (set(Peer.model_fields) - {"profile"}) | set(Profile.model_fields)
    assert peer.profile == Profile(), "the example shows the defaults"


def test_a_profile_says_what_a_peer_gets_and_how(write) -> None:
    text = PEER + '[peer.profile]\nobjects = ["report", "pdf"]\nreport_class = "comprehensive"\nshadow = true\n'
    config = load_config(write(text))
    (peer,) = config.peers
    assert peer.profile.items == {Item.REPORT, Item.PDF}
    assert peer.profile.rendering == Rendering(report_class=ReportClass.COMPREHENSIVE, with_segmentations=False)
    assert config.in_shadow(peer)


@pytest.mark.parametrize(
    ("text", "key", "parts"),
    [
        ("[node]\nprot = 104", "node.prot", ["node.prot = 104", "unknown key", "did you mean port?", "data_dir"]),
        ("[setle]\nquiet_seconds = 3", "setle", ["setle", "unknown", "did you mean settle?"]),
        ("[node]\nzzz = 1", "node.zzz", ["zzz = 1", "unknown", "Allowed here: ae_title, host"]),
        ("[node]\nport = 70000", "node.port", ["node.port = 70000", "1 to 65535"]),
        ("[node]\nport = 0", "node.port", ["node.port = 0", "1 to 65535", "[tls] port"]),
        ('[node]\nport = "104"', "node.port", ['node.port = "104"', "a whole number"]),
        ("[node]\nport = true", "node.port", ["node.port = true", "a whole number"]),
        ("[node]\nport = 104.5", "node.port", ["104.5", "a whole number"]),
        ('[node]\nae_title = "SEVENTEEN_LETTERS"', "node.ae_title", ['"SEVENTEEN_LETTERS"', "1 to 16 characters"]),
        ('[node]\nae_title = "   "', "node.ae_title", ['"   "', "not blank"]),
        ('[node]\nae_title = "A\\\\B"', "node.ae_title", ["backslash"]),
        ('[node]\nae_title = "A\\u0007B"', "node.ae_title", ["\\x07", "control characters"]),
        ('[node]\nae_title = "RÖNTGEN"', "node.ae_title", ['"RÖNTGEN"', "ASCII"]),
        ("[node]\nhost = 12", "node.host", ["node.host = 12", "host name"]),
        ('[node]\ndatabase = "postgresql://x/y"', "node.database", ["postgresql", "sqlite:///"]),
        ("node = 3", "node", ["node = 3", "a section headed [node]"]),
        ('[settle]\nquiet_seconds = "60"', "settle.quiet_seconds", ['"60"', "seconds, more than 0"]),
        ("[settle]\nquiet_seconds = 0", "settle.quiet_seconds", ["= 0", "more than 0"]),
        ("[settle]\nquiet_seconds = nan", "settle.quiet_seconds", ["nan", "more than 0"]),
        ("[matching]\nmin_interval_days = -1", "matching.min_interval_days", ["-1", "whole number of days"]),
        (
            "[matching]\nmin_interval_days = 500",
            "matching.max_interval_days",
            ["max_interval_days = 400", "at least min_interval_days (500)"],
        ),
        (
            "[matching]\nsame_timepoint_days = 30",
            "matching.same_timepoint_days",
            ["same_timepoint_days = 30", "fewer than min_interval_days (21)"],
        ),
        (
            "[matching]\nepisode_gap_days = 300",
            "matching.episode_gap_days",
            ["episode_gap_days = 300", "at least max_interval_days (400)"],
        ),
        ('[scoring]\ndevice = "gpu"', "scoring.device", ['"gpu"', '"auto", "cpu" or "cuda"']),
        ('[scoring]\nsystems = ["radiomics"]', "scoring.systems[#1]", ['"radiomics"', '"signature_svm"']),
        ('[scoring]\nsystems = "signature_svm"', "scoring.systems", ["a list of scoring systems"]),
        ('[scoring]\nroi_pattern = "(gtv"', "scoring.roi_pattern", ['"(gtv"', "regular expression"]),
        ("[scoring]\nbundles = 3", "scoring.bundles", ["scoring.bundles = 3", "a folder in quotes"]),
        ("[results]\nphantom_scores = 1", "results.phantom_scores", ["= 1", "true or false"]),
        ("[results]\ngive_up_after = 0", "results.give_up_after", ["= 0", "1 to 10000"]),
        ('[logs]\nlevel = "info"', "logs.level", ['"info"', '"INFO"']),
        ('[logs]\njson = "yes"', "logs.json", ['"yes"', "true or false"]),
        ("[logs]\njson_lines = true", "logs.json_lines", ["unknown key", "Allowed here: level, json"]),
        (f"{PEER}{PEER}", "peer[#2].name", ['"pacs"', "a name that no other [[peer]] has"]),
        (f"{PEER}tsl = true", "peer[pacs].tsl", ["peer[pacs].tsl = true", "did you mean tls?"]),
        (f"{PEER}tls = true", "peer[pacs].tls", ["peer[pacs].tls = true", "certificate, key and authorities in [tls]"]),
        (
            f"{PEER}tls = true\nsends = true\n{TLS_FILES}",
            "peer[pacs].tls",
            ["peer[pacs].tls = true", "a port in [tls] for it to call"],
        ),
        ("[tls]\nport = 2762", "tls.certificate", ['tls.certificate = ""', "belong together"]),
        (TLS_FILES.replace("key", "# key"), "tls.key", ['tls.key = ""', "belong together"]),
        (f"{TLS_FILES}port = 11112", "tls.port", ["tls.port = 11112", "another port than [node] port"]),
        ("[tls]\nkey = 3", "tls.key", ["tls.key = 3", "a PEM file in quotes"]),
        (PEER.replace("104", "0"), "peer[pacs].port", ["peer[pacs].port = 0", "1 to 65535"]),
        (PEER.replace("port = 104", ""), "peer[pacs].port", ["peer[pacs].port is missing", "1 to 65535"]),
        (PEER.replace('name = "pacs"', ""), "peer[#1].name", ["peer[#1].name is missing", "a unique name"]),
        (PEER.replace("[[peer]]", "[peer]"), "peer", ["[[peer]], with two brackets"]),
        (PEER.replace("[[peer]]", "[[peers]]"), "peers", ["unknown key", "did you mean peer?"]),
        (f"{PEER}sends = 'yes'", "peer[pacs].sends", ['"yes"', "true or false"]),
        ("peer = [3]", "peer[#1]", ["= 3", "[[peer]], with two brackets"]),
    ],
)
def test_what_cannot_be_used_gets_one_line_with_file_key_value_and_what_is_allowed(write, text, key, parts) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as refusal:
        load_config(path)
    line = str(refusal.value)
    assert refusal.value.key == key
    assert "\n" not in line
    for part in [str(path), *parts]:
        assert part in line, line


def test_a_misspelt_key_is_told_before_what_it_causes_and_the_rest_is_counted(write) -> None:
    with pytest.raises(ConfigError, match=r"did you mean port\?.*\(and 1 more\)$"):
        load_config(write(PEER.replace("port =", "prot =")))


@pytest.mark.parametrize(
    ("text", "says"),
    [("[node\nport = 1", "at line 1"), ("[node]\nport = 1\nport = 2", "at line 3"), ("[node]\nport = ", "at line 2")],
)
def test_a_syntax_error_names_the_file_and_the_line(write, text, says) -> None:
    path = write(text)
    with pytest.raises(ConfigError, match=says) as refusal:
        load_config(path)
    assert str(path) in str(refusal.value)


def test_a_missing_file_a_folder_and_a_file_that_is_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
    (tmp_path / "latin1.toml").write_bytes('# Röntgen\n[node]\nae_title = "X"'.encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "latin1.toml")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes("[node]\r\nport = 104\r\n".encode("utf-8-sig"))
    assert load_config(path).node.port == 104


def test_relative_paths_are_relative_to_the_file_and_absolute_ones_stay(write) -> None:
    path = write('[node]\ndata_dir = "d"\ndatabase = "sqlite:///db/x.sqlite"\n[scoring]\nbundles = "b"')
    config = load_config(path)
    assert config.node.data_dir == path.parent / "d"
    assert config.database_url == f"sqlite:///{path.parent}/db/x.sqlite"
    assert config.bundles_dir == path.parent / "b"
    config = load_config(write('[node]\ndata_dir = "/srv/d"\ndatabase = "sqlite:////srv/x.sqlite"'))
    assert config.node.data_dir == Path("/srv/d")
    assert config.database_url == "sqlite:////srv/x.sqlite"


def test_every_peer_knows_what_is_presented_to_it(write) -> None:
    path = write(f"{PEER}tls = true\nreceives = true\n{TLS_FILES}")
    config = load_config(path)
    assert config.tls.files() == (path.parent / "ours.pem", Path("/etc/ours.key"), path.parent / "peers.pem")
    (pacs,) = config.peers
    assert pacs.ours == config.tls
    assert pacs.certified_name == "127.0.0.1"
    (named,) = load_config(write(f'{PEER}tls = true\ntls_name = "pacs.example"\n{TLS_FILES}')).peers
    assert named.certified_name == "pacs.example"


def test_peers_are_found_by_role_by_name_and_by_a_shared_padded_ae_title(write) -> None:
    store = PEER + "sends = true\nreceives = true\n"
    query = PEER.replace('"pacs"', '"query"').replace("104", "105") + "queries = true\n"
    other = PEER.replace('"pacs"', '"other"').replace("PACS", "  OTHER ")
    config = load_config(write(store + query + other))
    assert [peer.name for peer in config.peers_titled("PACS  ")] == ["pacs", "query"]
    assert [peer.name for peer in config.peers_titled("OTHER\0")] == ["other"]
    assert config.peers_titled("") == ()
    assert [peer.name for peer in config.peers_receiving] == ["pacs"]
    assert config.peer_named("query") == config.peers[1]
    assert config.peer_named("absent") is None


def test_a_configuration_is_frozen_and_checked_however_it_is_made() -> None:
    config = Config(node=Node(port=104))
    with pytest.raises(ValidationError, match="frozen"):
        config.node.port = 105  # type: ignore[misc]
    peer = Peer(name="a", ae_title="A", host="h", port=1)
    with pytest.raises(ValidationError, match="a name that no other"):
        Config(peers=(peer, peer))


def test_reading_a_configuration_loads_no_image_or_network_library() -> None:
    code = "import sys, node.config; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert not {"torch", "monai", "SimpleITK", "highdicom", "pynetdicom", "pandas"} & set(loaded.stdout.split())
