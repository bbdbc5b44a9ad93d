"""Connections to FHIR servers: they take nothing along from call to call, and end when the time of a call is over.

A timeout of a socket starts anew with every byte that comes, so a server that drips bytes would hold a thread for as
long as it likes. So whoever waits for a read ends it from outside, by shutting the socket that it waits on.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

_HERE = threading.local()


class CutOff:
    """Ends a read of the thread it was made for, whatever that waits for. `deadline` is on the monotonic clock."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.connection: _Held | None = None
        self.is_over = False

    def __enter__(self) -> CutOff:
        _HERE.read = self
        return self

    def __exit__(self, *_: object) -> None:
        del _HERE.read

    @property
    def seconds_left(self) -> float:
        """At least a millisecond, for a timeout of nothing would mean none."""
        return max(self.deadline - time.monotonic(), 0.001)

    def cut(self) -> None:
        """Shut the connection that the read is on, or is about to be on; called by another thread."""
        self.is_over = True  # first, for a connection that is not held yet looks here when it is
        if self.connection:
            self.connection.cut(self)


class _Held:
    """The part of a connection that knows which read it serves, and whether that was cut off."""

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
        """Shut the socket, where it is still this read's: the pool may have lent the connection to another call."""
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
                self.close()  # so that it is opened anew
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
            self._socket = self.sock  # by now there is one, and its handshake is over
        return super().getresponse()  # type: ignore[misc]

    def close(self) -> None:
        super().close()  # type: ignore[misc]

    def _new_conn(self) -> socket.socket:
        """A connection within the time that is left, which the addresses of a name share; its TLS handshake, too."""
        try:
            addresses = socket.getaddrinfo(self.host.strip("[]"), self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as cause:
            raise NameResolutionError(self.host, self, cause) from None  # type: ignore[arg-type]
        for number, (family, kind, protocol, _, address) in enumerate(addresses):
            one = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    one.setsockopt(*option)
                one.settimeout(_HERE.read.seconds_left / (len(addresses) - number))
                one.connect(address)
                one.settimeout(_HERE.read.seconds_left)
            except OSError:
                one.close()
            else:
                return one
        raise NewConnectionError(self, "no address takes a connection")  # type: ignore[arg-type]


class _HttpConnection(_Held, HTTPConnection):
    pass


class _HttpsConnection(_Held, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


class FhirSession(requests.Session):
    """A session that leaves nothing behind: no cookie kept, no redirect looked at, nothing of the environment used.

    It is used inside a CutOff. `ca_bundle` is a file of certificate authorities in place of the usual ones.
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
