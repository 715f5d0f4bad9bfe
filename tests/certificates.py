"""Certificates for tests: of an authority, of peers, and each wrong in one way. Keys are small and quick to make."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER_ONLY = (ExtendedKeyUsageOID.SERVER_AUTH,)
BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True)
class Wanted:
    """A certificate to be issued. ``days``: from when to when it is valid, counted from now."""

    common_name: str
    names: tuple[str, ...] = ()
    days: tuple[int, int] = (-1, 365)
    uses: tuple[x509.ObjectIdentifier, ...] = BOTH


@dataclass(frozen=True)
class Pair:
    """The PEM files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path, name: str = "hospital") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} authority")])
        self._key = ec.generate_private_key(ec.SECP256R1())
        made = _builder(self._name, self._name, self._key.public_key(), (-1, 365))
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(self, file: str, wanted: Wanted, password: str = "") -> Pair:
        """A certificate of this authority, and its key, as ``file``.pem and ``file``.key."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _written(
            self.folder / file, _unsigned(wanted, self._name, key).sign(self._key, hashes.SHA256()), key, password
        )


def self_signed(path: Path, wanted: Wanted) -> Pair:
    """A certificate that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = _unsigned(wanted, _subject(wanted), key).sign(key, hashes.SHA256())
    return _written(path, made, key, "")


def _subject(wanted: Wanted) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.common_name)])


def _unsigned(wanted: Wanted, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    made = _builder(_subject(wanted), issuer, key.public_key(), wanted.days)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(x509.ExtendedKeyUsage(wanted.uses), critical=False)
    if wanted.names:
        made = made.add_extension(x509.SubjectAlternativeName(list(map(_general_name, wanted.names))), critical=False)
    return made


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: tuple[int, int]
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
    made = made.serial_number(x509.random_serial_number())
    return made.not_valid_before(now + timedelta(days=days[0])).not_valid_after(now + timedelta(days=days[1]))


def _written(path: Path, made: x509.Certificate, key: ec.EllipticCurvePrivateKey, password: str) -> Pair:
    pair = Pair(path.with_suffix(".pem"), path.with_suffix(".key"))
    pair.certificate.write_bytes(made.public_bytes(Encoding.PEM))
    hidden: KeySerializationEncryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden))
    pair.key.chmod(0o600)
    return pair
