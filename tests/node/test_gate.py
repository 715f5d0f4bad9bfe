"""Who is let in under which AE title, from where, and what IT is told of the others."""

from __future__ import annotations

from typing import Any

import pytest

from node import gate as module
from node.gate import Caller, Gate, plain, resolved
from node.peer import Peer

HOSTS = {"pacs.example": frozenset({plain("10.0.0.5"), plain("10.0.0.6")})}


def peer(name: str = "pacs", **values: Any) -> Peer:
    return Peer(**{"name": name, "ae_title": "PACS", "host": "pacs.example", "port": 104, "sends": True, **values})


def gate(*peers: Peer) -> Gate:
    return Gate(peers, lambda host: HOSTS.get(host, frozenset()))


@pytest.mark.parametrize("address", ["10.0.0.5", "10.0.0.6", "::ffff:10.0.0.5"])
def test_a_peer_calls_from_any_address_of_its_host(address: str) -> None:
    one = peer()
    assert gate(one).let_in(Caller("PACS", address)) == (one,)
    assert gate(one).refusal(Caller("PACS", address)) == ""


@pytest.mark.parametrize("title", ["PACS  ", "PACS\0"])
def test_padding_of_the_title_does_not_count(title: str) -> None:
    assert gate(peer()).let_in(Caller(title, "10.0.0.5"))


def test_a_title_from_elsewhere_is_told_with_both_addresses_and_the_key_to_mend() -> None:
    words = gate(peer()).refusal(Caller("PACS", "10.0.0.7"))
    for part in ("10.0.0.7", "pacs.example (10.0.0.5 or 10.0.0.6)", "calls_from"):
        assert part in words


def test_a_title_that_is_no_peers_is_nobody_and_its_address_no_matter() -> None:
    assert gate(peer()).let_in(Caller("STRANGER", "10.0.0.5")) == ()
    assert gate(peer()).refusal(Caller("STRANGER", "10.0.0.5")) == ""


@pytest.mark.parametrize(
    ("calls_from", "address", "inside"),
    [
        (("10.2.0.0/16",), "10.2.9.9", True),
        (("10.2.0.0/16",), "10.0.0.5", False),
        (("10.3.0.1", "fd00::/8"), "fd00::1", True),
        (("10.3.0.1", "fd00::/8"), "10.3.0.1", True),
        (("10.3.0.1",), "10.3.0.2", False),
    ],
)
def test_calls_from_replaces_the_host(calls_from: tuple[str, ...], address: str, inside: bool) -> None:
    one = gate(peer(calls_from=calls_from))
    assert bool(one.let_in(Caller("PACS", address))) is inside
    assert bool(one.refusal(Caller("PACS", address))) is not inside


def test_of_two_peers_with_one_title_the_one_that_calls_from_there_is_meant() -> None:
    first, second = peer("first"), peer("second", calls_from=("10.9.0.1",))
    assert gate(first, second).let_in(Caller("PACS", "10.9.0.1")) == (second,)


def test_a_host_that_is_not_known_now_lets_nobody_in_and_one_that_was_known_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [HOSTS["pacs.example"], frozenset()]
    one = Gate((peer(),), lambda host: answers.pop(0))
    assert one.let_in(Caller("PACS", "10.0.0.5"))
    monkeypatch.setattr(module, "_REMEMBERED_SECONDS", -1.0)
    assert one.let_in(Caller("PACS", "10.0.0.5")), "a name server that is down must not stop the PACS"
    assert answers == []
    assert not gate(peer(host="gone.example")).let_in(Caller("PACS", "10.0.0.5"))


def test_names_are_resolved_by_the_system() -> None:
    assert plain("127.0.0.1") in resolved("localhost") or plain("::1") in resolved("localhost")
    assert resolved("no such host..") == frozenset()


def test_this_machine_is_known_by_its_loopback_address() -> None:
    assert Caller("X", "127.0.0.1").is_local
    assert Caller("X", "::1").is_local
    assert not Caller("X", "10.0.0.5").is_local


SECURE = peer("secure", tls=True)


@pytest.mark.parametrize(
    ("certified", "inside"),
    [
        (None, False),
        (frozenset(), False),
        (frozenset({"pacs.example"}), True),
        (frozenset({"10.0.0.5", "pacs.example"}), True),
        (frozenset({"ward.example"}), False),
        (frozenset({"*.example"}), False),
    ],
)
def test_a_peer_with_tls_needs_a_certificate_of_its_own(certified: frozenset[str] | None, inside: bool) -> None:
    caller = Caller("PACS", "10.0.0.5", certified)
    assert gate(SECURE).let_in(caller) == ((SECURE,) if inside else ())
    assert bool(gate(SECURE).refusal(caller)) is not inside


def test_its_certificate_does_not_open_another_address() -> None:
    caller = Caller("PACS", "10.0.0.7", frozenset({"pacs.example"}))
    assert gate(SECURE).let_in(caller) == ()
    assert "calls_from" in gate(SECURE).refusal(caller)


def test_this_machine_is_held_to_tls_as_well() -> None:
    assert "without TLS" in gate(SECURE).refusal(Caller("PACS", "127.0.0.1"))
    assert gate(peer()).refusal(Caller("PACS", "127.0.0.1")) == ""


def test_a_peer_without_tls_may_come_with_any_certificate() -> None:
    assert gate(peer()).let_in(Caller("PACS", "10.0.0.5", frozenset({"ward.example"})))


@pytest.mark.parametrize("name", ["PACS.Example.", "fd00:0:0::1", " 10.0.0.9 "])
def test_names_are_compared_and_not_how_they_are_written(name: str) -> None:
    one = gate(peer(tls=True, tls_name=name))
    certified = frozenset({"pacs.example", "fd00::1", "10.0.0.9"})
    assert one.let_in(Caller("PACS", "10.0.0.5", certified))


def test_one_title_may_be_two_machines_with_certificates_of_their_own() -> None:
    other = peer("other", tls=True, tls_name="other.example")
    assert gate(SECURE, other).let_in(Caller("PACS", "10.0.0.5", frozenset({"other.example"}))) == (other,)
    words = gate(SECURE, other).refusal(Caller("PACS", "10.0.0.5", frozenset({"ward.example"})))
    assert "[[peer]] secure is pacs.example; [[peer]] other is other.example" in words
