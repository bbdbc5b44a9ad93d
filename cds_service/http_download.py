"""Downloads that are bounded in bytes and in time, over connections that keep nothing from one call to the next.

The timeout of a socket starts again with every byte, so a server that sends one byte at a time could hold a thread
forever. Therefore another thread ends a late download, by shutting down its socket.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

_CHUNK_BYTES = 65_536
_WATCH_S = 0.05  # after the deadline: a connection that is opened late is shut down as well
_HERE = threading.local()


class NotDownloaded(Exception):
    """An answer that is not taken: by its status (`status`, else None), its encoding or its size. Names no address."""

    def __init__(self, words: str, status: int | None = None) -> None:
        super().__init__(words)
        self.status = status


# By X509_V_ERR_* of OpenSSL. Its own words are not used: they may name the host.
_CERTIFICATE_FAULTS = {
    9: "CertificateNotYetValid",
    10: "CertificateExpired",
    18: "CertificateNotTrusted",
    19: "CertificateNotTrusted",
    20: "CertificateNotTrusted",
    62: "CertificateForAnotherHost",
    64: "CertificateForAnotherHost",
}


def kind_of(fault: BaseException) -> str:
    """The kind of an error of a download, for the log: what is wrong with a certificate, or the name of its class."""
    cause: BaseException | None = fault
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _CERTIFICATE_FAULTS.get(cause.verify_code, "CertificateNotValid")
        cause = cause.__cause__ or cause.__context__
    return type(fault).__name__


class CutOff:
    """Ends the downloads of the thread that enters it. `deadline` is on the monotonic clock."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.connection: _CuttableConnection | None = None
        self.is_over = False

    def __enter__(self) -> CutOff:
        _HERE.read = self
        return self

    def __exit__(self, *_: object) -> None:
        del _HERE.read

    @property
    def seconds_left(self) -> float:
        """At least a millisecond, because a timeout of 0 would mean no timeout."""
        return max(self.deadline - time.monotonic(), 0.001)

    def cut(self) -> None:
        """Shut down the connection that the download uses, or is about to use; called by another thread."""
        self.is_over = True  # first: a connection that registers itself later reads this
        if self.connection:
            self.connection.cut(self)


@contextmanager
def time_limit(seconds: float) -> Iterator[CutOff]:
    """A CutOff for this thread that cuts by itself, from a thread of its own, after so many seconds."""
    cut_off, is_over = CutOff(time.monotonic() + seconds), threading.Event()

    def watch() -> None:
        while not is_over.wait(max(cut_off.seconds_left, _WATCH_S)):
            cut_off.cut()

    threading.Thread(target=watch, name="download-time", daemon=True).start()
    try:
        with cut_off:
            yield cut_off
    finally:
        is_over.set()


class _CuttableConnection:
    """The part of a connection that knows which download it serves, and whether that was cut off."""

    sock: Any
    port: int
    host: str
    socket_options: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lock = threading.Lock()
        self._read: CutOff | None = None
        self._socket: socket.socket | None = None
        self._is_cut = False

    def cut(self, read: CutOff) -> None:
        """Shut the socket down, unless the pool has given the connection to another call by now."""
        with self._lock:
            if self._read is not read:
                return
            self._is_cut = True
            if self._socket:
                with suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # below TLS, which would wait for its peer

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        if _HERE.read.is_over:
            raise TimeoutError

    def request(self, *args: Any, **options: Any) -> None:
        with self._lock:
            if self._is_cut:
                self.close()  # so that it is opened again
                self._is_cut = False
            self._read, self._socket = _HERE.read, self.sock
            _HERE.read.connection = self
            if _HERE.read.is_over:
                raise TimeoutError
        super().request(*args, **options)  # type: ignore[misc]

    def getresponse(self) -> Any:
        with self._lock:
            if self._is_cut:
                raise TimeoutError
            self._socket = self.sock  # after the handshake
        return super().getresponse()  # type: ignore[misc]

    def close(self) -> None:
        super().close()  # type: ignore[misc]

    def _new_conn(self) -> socket.socket:
        """A connection within the time that is left, which the addresses of the name share; so is its TLS handshake."""
        try:
            addresses = socket.getaddrinfo(self.host.strip("[]"), self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as cause:
            raise NameResolutionError(self.host, self, cause) from None  # type: ignore[arg-type]
        for number, (family, kind, protocol, _, address) in enumerate(addresses):
            new = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    new.setsockopt(*option)
                new.settimeout(_HERE.read.seconds_left / (len(addresses) - number))
                new.connect(address)
                new.settimeout(_HERE.read.seconds_left)
            except OSError:
                new.close()
            else:
                return new
        raise NewConnectionError(self, "no address takes a connection")  # type: ignore[arg-type]


class _HttpConnection(_CuttableConnection, HTTPConnection):
    pass


class _HttpsConnection(_CuttableConnection, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


class IsolatedSession(requests.Session):
    """A session that keeps no cookie, follows no redirect and uses nothing of the environment.

    Use it inside a CutOff. `ca_bundle` is a file of certificate authorities in place of the usual ones.
    """

    def __init__(self, threads: int, ca_bundle: str | None = None, transport: BaseAdapter | None = None) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = ca_bundle or True
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = transport or _Adapter(pool_connections=threads, pool_maxsize=threads)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: a redirect is an answer like any other, and its body is not read either."""

    def download(self, address: str, headers: Mapping[str, str], cut_off: CutOff, most_bytes: int) -> bytes:
        """The body of an answer 200, in no encoding but the one that `headers` accept.

        Raises NotDownloaded, TimeoutError, and the errors of requests, urllib3 and sockets.
        """
        timeout = cut_off.seconds_left
        try:
            with self.get(address, headers=headers, stream=True, allow_redirects=False, timeout=timeout) as answer:
                if answer.status_code != 200:
                    raise NotDownloaded(f"the server answered {answer.status_code}", answer.status_code)
                encoding = answer.headers.get("Content-Encoding", "").strip().lower().removeprefix("x-")
                if encoding not in ("", "identity", headers["Accept-Encoding"]):
                    raise NotDownloaded("the answer is in an encoding that was not asked for")
                return read_body(answer, most_bytes, cut_off.deadline)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise TimeoutError from None


def read_body(answer: requests.Response, most_bytes: int, deadline: float) -> bytes:
    """The decoded body of a streamed answer. Raises NotDownloaded where it is larger, TimeoutError after the deadline.

    Also the errors of urllib3 and sockets, where the connection breaks.
    """
    too_large = NotDownloaded("the answer is too large")
    length = answer.headers.get("Content-Length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > most_bytes):
        raise too_large
    body = bytearray()
    is_over = False
    while not is_over:
        chunk = answer.raw.read1(_CHUNK_BYTES, decode_content=True)
        body += chunk
        is_over = not chunk
        if len(body) > most_bytes:
            raise too_large
        if time.monotonic() > deadline:  # also at the end: a body that was cut off may look complete
            raise TimeoutError
    return bytes(body)
