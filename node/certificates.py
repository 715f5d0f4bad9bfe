"""Our certificate and its key, and whom we believe: the PEM files of ``[tls]``, looked at before they are used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from node.errors import ConfigError
from node.finding import Finding, Level
from node.tls_section import Tls

SOON = timedelta(days=30)
_OF_OTHERS = 0o077
_USES = {
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth: peers that are called refuse it",
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth: peers that call refuse it",
}


@dataclass(frozen=True)
class Credentials:
    """What this node presents, and the certificates that peers' ones must come from."""

    certificate: x509.Certificate
    authorities: tuple[x509.Certificate, ...]

    def findings(self, now: datetime) -> Iterator[Finding]:
        """What will not do, or not for long; what it is, where all is well."""
        ours, day = self.certificate, "%Y-%m-%d"
        ends = ours.not_valid_after_utc
        renew = "renew it, then restart `restage serve`"
        if now > ends:
            yield _found(Level.FAIL, f"our side: our certificate expired on {ends:{day}}: peers refuse it; {renew}")
        elif now < ours.not_valid_before_utc:
            since = f"our certificate is valid from {ours.not_valid_before_utc:{day}}"
            yield _found(Level.FAIL, f"our side: {since}: peers refuse it until then; look at this machine's clock")
        elif ends - now < SOON:
            words = f"our side: our certificate expires on {ends:{day}}, in {(ends - now).days} days; {renew}"
            yield _found(Level.WARN, words)
        else:
            yield _found(Level.OK, f"our certificate is of {described(ours)}")
        for missing in _missing_uses(ours):
            yield _found(Level.WARN, f"our side: the extended key usage of our certificate lacks {missing}")
        for one in self.authorities:
            if now > one.not_valid_after_utc:
                words = f"our side: in [tls] authorities, {described(one)} has expired: what it issued is refused"
                yield _found(Level.WARN, words)
            if _may_issue(one) and _alternative_names(one):
                words = f"our side: in [tls] authorities, {described(one)} looks like a peer's and may issue others'"
                yield _found(Level.WARN, f"{words}: have it made anew with basicConstraints CA:FALSE")


def _found(level: Level, words: str) -> Finding:
    return Finding(level, "TLS", words)


def examined(tls: Tls) -> Credentials:
    """What the files hold. Raises ConfigError, with the key of the file that will not do."""
    certificate, key, authorities = tls.files()
    ours = _certificates("tls.certificate", certificate)
    _require_privacy(key)
    private = _private_key(key)
    if private.public_key() != ours[0].public_key():
        words = f"tls.key = {key} is not the key of the first certificate in {certificate}, which must be ours"
        raise ConfigError("tls.key", words)
    return Credentials(ours[0], _certificates("tls.authorities", authorities))


def described(certificate: x509.Certificate) -> str:
    """Whose it is, who issued it and how long it is valid, for a person."""
    issuer = "itself" if certificate.issuer == certificate.subject else _title(certificate.issuer)
    names = _alternative_names(certificate)
    whose = _title(certificate.subject) + (f" ({', '.join(names)})" if names else "")
    return f"{whose}, issued by {issuer}, valid until {certificate.not_valid_after_utc:%Y-%m-%d}"


def _title(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()


def _alternative_names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    dns = names.get_values_for_type(x509.DNSName)
    return [*dns, *map(str, names.get_values_for_type(x509.IPAddress))]


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _missing_uses(certificate: x509.Certificate) -> list[str]:
    try:
        allowed = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return []
    if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in allowed:
        return []
    return [words for use, words in _USES.items() if use not in allowed]


def _certificates(name: str, path: Path) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(_content(name, path)))
    except ValueError as error:
        raise ConfigError(name, f"{name} = {path} holds no certificate in PEM that can be read: {error}") from error


def _private_key(path: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(_content("tls.key", path), None)
    except TypeError as error:
        words = f"tls.key = {path} is encrypted; allowed: a key without a password, in a file for this user alone"
        raise ConfigError("tls.key", words) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError("tls.key", f"tls.key = {path} holds no private key in PEM that can be read") from error


def _content(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(name, f"{name} = {path} cannot be read: {error.strerror}") from error


def _require_privacy(path: Path) -> None:
    """Whoever reads the key is this node to every peer."""
    try:
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        raise ConfigError("tls.key", f"tls.key = {path} cannot be read: {error.strerror}") from error
    if mode & _OF_OTHERS:
        words = f"tls.key = {path} may be read by other users (mode {mode:04o}); chmod 600 {path}"
        raise ConfigError("tls.key", words)


def today() -> datetime:
    return datetime.now(UTC)
