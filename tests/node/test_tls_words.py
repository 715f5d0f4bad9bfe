"""What is told of a handshake that failed. tests/faults/test_tls.py has the errors as they come."""

from __future__ import annotations

import ssl

import pytest

from node.tls_words import why_not


def ssl_error(reason: str, kind: type[ssl.SSLError] = ssl.SSLError) -> ssl.SSLError:
    error = kind(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ssl_error("TLSV1_ALERT_UNKNOWN_CA"), "their side does not know who issued our certificate"),
        (ssl_error("SSLV3_ALERT_CERTIFICATE_EXPIRED"), "their side says that our certificate has expired"),
        (ssl_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "their side wants a certificate of ours"),
        (ssl_error("TLSV1_ALERT_INTERNAL_ERROR"), "their side ends the handshake: internal_error"),
        (ssl_error("WRONG_VERSION_NUMBER"), "their side speaks no TLS here"),
        (ssl_error("NO_SHARED_CIPHER"), "no cipher suite that is allowed"),
        (ssl_error("SOMETHING_NEW"), "the handshake failed: something new"),
        (ssl_error("UNEXPECTED_EOF_WHILE_READING", ssl.SSLEOFError), "hung up during the handshake"),
        (ConnectionResetError(104, "Connection reset by peer"), "hung up during the handshake"),
        (TimeoutError("timed out"), "did not bring the handshake to an end in time"),
        (OSError(113, "No route to host"), "the handshake failed: No route to host"),
    ],
)
def test_each_error_names_the_side_and_what_to_do(error: OSError, words: str) -> None:
    assert words in why_not(error)


def test_an_unknown_fault_of_a_certificate_is_told_as_openssl_does() -> None:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_code, error.verify_message = 99, "something about it"
    assert why_not(error) == "their certificate cannot be verified: something about it"
