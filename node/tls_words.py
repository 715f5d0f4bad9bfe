"""Why there is no TLS with a peer, in words for those who set up both sides: which side has to change what."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

_ADD_AUTHORITY = (
    "our side does not know who issued their certificate: add the certificate of its CA, or its own where it is "
    "self-signed, to [tls] authorities; or their side presents another certificate than agreed"
)
_OTHER_NAME = (
    "their certificate has another name than this [[peer]]: if it is that peer, set its tls_name to a name in its "
    "certificate, or let its certificate name its host"
)
# OpenSSL's X509_V_ERR_ codes (x509_vfy.h): what is wrong with the certificate that was presented to us.
_THEIR_CERTIFICATE: Mapping[int, str] = {
    2: _ADD_AUTHORITY,
    9: "their certificate is not valid yet: look at the clocks of both machines, or let their side present another",
    10: "their certificate has expired: their side has to renew it (or the clock of this machine is wrong)",
    18: _ADD_AUTHORITY,
    19: _ADD_AUTHORITY,
    20: _ADD_AUTHORITY,
    21: _ADD_AUTHORITY,
    26: "their certificate is not made for this side of a connection: its extended key usage needs clientAuth where "
    "they call, serverAuth where they are called",
    62: _OTHER_NAME,
    64: _OTHER_NAME,
    66: "the key of their certificate is too short: their side needs another certificate",
}
# RFC 8446 6.2: what their side said of us before it hung up.
_ALERTS: Mapping[str, str] = {
    "UNKNOWN_CA": "does not know who issued our certificate: let it trust the CA of [tls] certificate, or that "
    "certificate itself where it is self-signed",
    "CERTIFICATE_UNKNOWN": "refuses our certificate, and does not say why: let it trust [tls] certificate; its log "
    "may say more",
    "BAD_CERTIFICATE": "refuses our certificate, or our host name in it: let it trust [tls] certificate; its log may "
    "say more",
    "UNSUPPORTED_CERTIFICATE": "does not take our certificate for this side of a connection: its extended key usage "
    "needs clientAuth and serverAuth",
    "CERTIFICATE_EXPIRED": "says that our certificate has expired: renew [tls] certificate, or look at its clock",
    "CERTIFICATE_REVOKED": "says that our certificate was revoked: renew [tls] certificate",
    "CERTIFICATE_REQUIRED": "wants a certificate of ours",
    "ACCESS_DENIED": "knows our certificate and does not let us in: let it allow this node",
    "PROTOCOL_VERSION": "speaks no TLS that is allowed: it needs 1.2 or 1.3",
    "HANDSHAKE_FAILURE": "has no cipher suite in common with us, or wants another certificate: it needs TLS 1.2 with "
    "ECDHE and AES-GCM, or TLS 1.3",
    "UNRECOGNIZED_NAME": "is not called that: mend host or tls_name of this [[peer]]",
}
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "RECORD_LAYER_FAILURE"})
_TOO_OLD = "their side speaks no TLS that is allowed: it needs 1.2 or 1.3 (RFC 9325)"
_REASONS: Mapping[str, str] = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "their side presents no certificate: let it present the one agreed on",
    "NO_SHARED_CIPHER": "their side offers no cipher suite that is allowed: it needs TLS 1.2 with ECDHE and AES-GCM "
    "or ChaCha20, or TLS 1.3 (RFC 9325)",
    "UNSUPPORTED_PROTOCOL": _TOO_OLD,
    "VERSION_TOO_LOW": _TOO_OLD,
    "WRONG_SSL_VERSION": _TOO_OLD,
    "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED": _TOO_OLD,
}


def why_not(error: OSError) -> str:
    """Which side has to change what, so that the handshake which ended with this error ends well."""
    if isinstance(error, ssl.SSLCertVerificationError):
        unnamed = f"their certificate cannot be verified: {error.verify_message}"
        return _THEIR_CERTIFICATE.get(error.verify_code, unnamed)
    reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    _, alerted, said = reason.partition("_ALERT_")
    if alerted:
        return f"their side {_ALERTS.get(said, f'ends the handshake: {said.lower()}')}"
    if is_no_tls(error):
        return "their side speaks no TLS here"
    if reason in _REASONS:
        return _REASONS[reason]
    if isinstance(error, TimeoutError):
        return "their side did not bring the handshake to an end in time: it says nothing, or waits for something else"
    if hung_up(error):
        return "their side hung up during the handshake: its log may say why; it may not trust our certificate"
    return f"the handshake failed: {reason.lower().replace('_', ' ') or error.strerror or error}"


def is_no_tls(error: OSError) -> bool:
    """Whether what came instead of a handshake was no TLS at all."""
    return isinstance(error, ssl.SSLError) and (error.reason or "") in _NO_TLS


def hung_up(error: OSError) -> bool:
    """Whether the other side closed without a word."""
    return isinstance(error, ssl.SSLEOFError | ConnectionError)
