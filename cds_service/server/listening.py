"""The port of the server: its sockets are ours, so that no second server can share the port unnoticed."""

from __future__ import annotations

import errno
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from granian._granian import SocketHolder
from granian.server.mp import MPServer, WorkerProcess

from cds_service.errors import NotReady
from cds_service.settings.settings import Settings

_BACKLOG = 1024  # connections that wait for a worker, of each socket


def bind(settings: Settings, *options: int) -> socket.socket:
    """A socket at the address of the settings, which does not listen yet. Raises NotReady where the port is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as fault:
        raise _not_ready(settings, fault) from None
    try:
        for option in (socket.SO_REUSEADDR, *options):  # SO_REUSEADDR: a server can start again at once
            listener.setsockopt(socket.SOL_SOCKET, option, 1)
        listener.bind(address)
    except OSError as fault:
        listener.close()
        raise _not_ready(settings, fault) from None
    listener.setblocking(False)
    listener.set_inheritable(True)
    return listener


def listen(first: socket.socket, settings: Settings) -> list[socket.socket]:
    """Let clients connect: a socket for each worker on Linux, which spreads connections over them, else one for all.

    `first` listens before it has SO_REUSEPORT: that succeeds only where nobody else listens, with that option or
    without. Afterwards, sockets of several workers have it, and the kernel lets in a program of the same user that sets
    it, too; a single worker shares with nobody. Raises NotReady where another server has started in the meantime.
    """
    try:
        first.listen(_BACKLOG)
    except OSError as fault:
        raise _not_ready(settings, fault) from None
    listeners = [first]
    if sys.platform == "linux" and settings.workers > 1:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for _ in range(1, settings.workers):
            listeners.append(bind(settings, socket.SO_REUSEPORT))
            listeners[-1].listen(_BACKLOG)
    return listeners


class Server(MPServer):
    """Granian with sockets of ours. Its own all have SO_REUSEPORT on Linux: a second server would share the calls."""

    def __init__(self, listeners: Sequence[socket.socket], target: str, **options: Any) -> None:
        super().__init__(target, **options)
        self._listeners = listeners
        self._has_spawned = False

    def _init_shared_socket(self) -> None:
        self._sso = None  # Windows alone has it

    def _spawn_worker(  # type: ignore[override]  # as MPServer has it
        self, idx: int, target: Any, callback_loader: Callable[..., Any]
    ) -> WorkerProcess:
        own = self._listeners[idx % len(self._listeners)]
        is_uds = False
        self._shd: Any = SocketHolder(own.fileno(), is_uds, _BACKLOG)  # type: ignore[call-arg]  # a gap of its stub
        others = [listener for listener in self._listeners if listener is not own]
        load = partial(callback_loader, is_first=not self._has_spawned)
        self._has_spawned = True
        return super()._spawn_worker(idx, target, partial(_load_without, others, load))

    def _drop_shared_socket(self) -> None:
        """No more connections, from the moment in which the workers have stopped to take them."""
        _close(self._listeners)


def _load_without(others: Sequence[socket.socket], load: Callable[[], Any]) -> Any:
    """In a worker: close what it has of the sockets of other workers, and load the application.

    It ends on a signal that comes before the worker has handlers of its own. Those of the main process, which a fork
    leaves it with, would only note it: the worker would serve on, and be killed seconds later with calls under way.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    _close(others)
    return load()


def _close(listeners: Sequence[socket.socket]) -> None:
    for listener in listeners:
        listener.close()


def _not_ready(settings: Settings, fault: OSError) -> NotReady:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    why, to_do = f"cannot be listened on ({fault.strerror})", "choose another address with CDS_HOST and CDS_PORT"
    if fault.errno == errno.EADDRINUSE:
        why, to_do = "is used by another program", "stop it, or choose another port with CDS_PORT or --port"
    return NotReady([f"{host}:{settings.port} {why}: {to_do}"])
