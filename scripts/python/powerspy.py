#!/usr/bin/env python3
"""The energy of Python code, measured at the wall by a PowerSpy2.

`powerspy serve` owns the meter and measures all the time; this file asks it how
many joules went through the meter while something ran:

    import powerspy

    with powerspy.energy() as e:
        work()
    print(e.joules, e.uncertainty, e.coverage)

    @powerspy.measured                      # a line on standard error for each call
    def train(): ...

    with powerspy.energy("https://ann@lab:8443/rack1") as e:
        e.mark("load")                      # begins a phase, for all who read the meter

    for r in powerspy.readings(interval=1):
        print(r.end, r.power)

One file, the standard library only, Python 3.9 and later: copy it beside your
program. All functions take the server's address: unix:PATH[:METER] or
http(s)://[USER@]HOST:PORT[/METER]. Without one it is $POWERSPY_DEVICE, else the
server of this user or of this machine. A password comes from $POWERSPY_PASSWORD or
netrc, and is sent over TLS or to this machine only.

All that the meter feeds counts, not this process alone. Times are UNIX seconds of
this machine's clock, also where the server is another machine. Whatever fails is a
PowerSpyError, whose text is one sentence.
"""

from __future__ import annotations

import asyncio
import base64
import contextvars
import functools
import http.client
import inspect
import ipaddress
import json
import math
import netrc
import os
import socket
import ssl
import stat
import struct
import sys
import tempfile
import threading
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

__all__ = ["Energy", "Gap", "PowerSpyError", "Reading", "energy", "mark", "measured", "meters", "readings"]

_SYSTEM_SOCKET = "/run/powerspy/powerspy.sock"
_METERS = "/api/v1/meters"
_MOST = 1 << 24  # bytes of an answer
_LINE = 1 << 20  # bytes of a line of a stream
_EXCHANGES = 5  # of times with another clock
_QUIET = 30.0  # seconds without a line after which a stream is broken; servers send one every few seconds


class PowerSpyError(Exception):
    """What failed, and why, in one sentence."""


@dataclass(frozen=True)
class Gap:
    """A time that was not measured, from start to end in UNIX seconds."""

    start: float
    end: float
    reason: str


@dataclass(frozen=True)
class Reading:
    """What was measured during one interval. Gaps are never part of it."""

    start: float  # UNIX seconds
    end: float
    power: float  # mean, W
    power_min: float  # of a window, W
    power_max: float
    voltage: float  # rms, V
    current: float  # rms, A
    power_factor: Optional[float]  # None without current
    frequency: float  # Hz
    energy: float  # J
    windows: int
    bridged: int  # windows that the meter left out
    partial: bool  # a part of the interval is missing
    gaps: Tuple[Gap, ...]  # between the reading before and this one


# --- Addresses ---------------------------------------------------------------


def _harmless(text: str) -> str:
    """Text from elsewhere without what could drive a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass(frozen=True)
class _Address:
    socket: str = ""  # path; empty: TCP
    tls: bool = False
    host: str = ""
    port: int = 0
    user: str = ""
    meter: str = ""

    def __str__(self) -> str:
        if self.socket:
            return "unix:" + self.socket
        host = "[%s]" % self.host if ":" in self.host else self.host
        return "%s://%s:%d" % ("https" if self.tls else "http", host, self.port)


def _parse(text: str) -> Optional[_Address]:
    """The address of a server; None: it is something else."""
    if text.startswith("unix:"):
        path, _, meter = text[len("unix:") :].partition(":")
        path = path.replace("%3A", ":").replace("%3a", ":")
        if not path:
            raise PowerSpyError("address %r has no path" % text)
        return _Address(socket=os.path.abspath(path), meter=meter)
    if not text.startswith(("http://", "https://")):
        return None
    try:
        url = urllib.parse.urlsplit(text)
        tls = url.scheme == "https"
        host, port = url.hostname, url.port or (443 if tls else 80)
    except ValueError as err:
        raise PowerSpyError("address %r: %s" % (text, err)) from None
    if not host or url.query or url.fragment:
        raise PowerSpyError("address %r is not http(s)://HOST:PORT[/METER]" % text)
    if url.password is not None:
        raise PowerSpyError("a password does not belong into an address: use $POWERSPY_PASSWORD or netrc")
    user = urllib.parse.unquote(url.username or "")
    return _Address(tls=tls, host=host, port=port, user=user, meter=urllib.parse.unquote(url.path.strip("/")))


def _usual(meter: str = "") -> _Address:
    """This machine's server."""
    uid = os.getuid()
    places = [os.path.join(os.environ.get("XDG_RUNTIME_DIR") or "/run/user/%d" % uid, "powerspy", "serve.sock")]
    places.append(os.path.join("/run/user/%d" % uid, "powerspy", "serve.sock"))
    places.append(os.path.join(tempfile.gettempdir(), "powerspy-%d" % uid, "serve.sock"))
    places.append(_SYSTEM_SOCKET)
    for path in places:
        if os.path.exists(path):
            return _Address(socket=path, meter=meter)
    raise PowerSpyError(
        "no server runs on this machine: start `powerspy serve`, or give the address of one (unix:PATH or https://HOST:PORT)"
    )


def _address(text: Optional[str], meter: Optional[str]) -> _Address:
    if text:
        found = _parse(text)
        if found is None:
            raise PowerSpyError("address %r is neither unix:PATH nor http(s)://HOST:PORT" % text)
    else:
        device = os.environ.get("POWERSPY_DEVICE", "")
        found = _parse(device)
        if found is None:
            found = _usual(device)  # one of its meters
    if meter:
        found = _Address(found.socket, found.tls, found.host, found.port, found.user, meter)
    return found


# --- Requests ----------------------------------------------------------------


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, which has to be this user's own or root's."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        info = os.stat(self._path)
        if not stat.S_ISSOCK(info.st_mode):
            raise PowerSpyError("%s is no socket" % self._path)
        trusted = (0, os.geteuid())
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self._path)
            owner = info.st_uid
            if hasattr(socket, "SO_PEERCRED"):
                size = struct.calcsize("3i")
                owner = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1]
            if info.st_uid not in trusted or owner not in trusted:
                raise PowerSpyError("the server at unix:%s is another user's" % self._path)
        except BaseException:
            sock.close()
            raise
        self.sock = sock


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Server:
    """A server, and one of its meters. Its methods may be called by several threads."""

    def __init__(self, address: _Address, timeout: float, ca_file: Optional[str], cert_file: Optional[str] = None, key_file: Optional[str] = None) -> None:
        self.address = address
        self.timeout = timeout
        self._tls = None  # type: Optional[ssl.SSLContext]
        if key_file is not None and cert_file is None:
            raise PowerSpyError("key_file is of no use without cert_file")
        if cert_file is not None and not address.tls:
            raise PowerSpyError("cert_file is for a server at https://")
        if address.tls:
            try:
                self._tls = ssl.create_default_context(cafile=ca_file)
            except (OSError, ssl.SSLError) as err:
                raise PowerSpyError("certificates of %s: %s" % (ca_file or "this machine", err)) from None
            if cert_file is not None:
                try:
                    self._tls.load_cert_chain(cert_file, key_file)
                except (OSError, ssl.SSLError) as err:
                    raise PowerSpyError("certificate %s: %s" % (cert_file, err)) from None
        self._headers = {"Accept": "application/json"}
        self._unread = ""  # why netrc could not be read
        self._login()

    def _login(self) -> None:
        a = self.address
        if a.socket:
            return
        user, password = a.user, os.environ.get("POWERSPY_PASSWORD", "")
        if not password:
            try:
                known = netrc.netrc().authenticators(a.host)
            except OSError:
                known = None
            except netrc.NetrcParseError as err:
                known, self._unread = None, "; netrc: %s" % _harmless(str(err))
            if known and (not user or known[0] == user):
                user, password = known[0] or "", known[2] or ""
        if not password:
            return
        if not a.tls and not _loopback(a.host):
            raise PowerSpyError("the password is not sent to %s without TLS: use https" % a)
        self._headers["Authorization"] = "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()

    def connection(self) -> http.client.HTTPConnection:
        a = self.address
        if a.socket:
            return _UnixConnection(a.socket, self.timeout)
        if a.tls:
            return http.client.HTTPSConnection(a.host, a.port, timeout=self.timeout, context=self._tls)
        return http.client.HTTPConnection(a.host, a.port, timeout=self.timeout)

    def fails(self, err: Exception) -> PowerSpyError:
        """The sentence for what went wrong on the way."""
        if isinstance(err, PowerSpyError):
            return err
        if isinstance(err, (FileNotFoundError, ConnectionRefusedError)):
            return PowerSpyError("no server listens at %s: start `powerspy serve`" % self.address)
        if isinstance(err, (socket.timeout, TimeoutError)):
            return PowerSpyError("the server at %s did not answer in time" % self.address)
        if isinstance(err, ssl.SSLCertVerificationError):
            return PowerSpyError("the certificate of %s is not trusted: %s" % (self.address, err.verify_message))
        if isinstance(err, PermissionError):
            return PowerSpyError("this user may not read %s" % self.address)
        if isinstance(err, http.client.HTTPException):
            return PowerSpyError("what answers at %s is no powerspy server, or it ended: %s" % (self.address, type(err).__name__))
        if isinstance(err, OSError):
            return PowerSpyError("the server at %s: %s" % (self.address, err.strerror or err))
        return PowerSpyError("the server at %s answers what makes no sense: %s" % (self.address, err))

    def send(self, c: http.client.HTTPConnection, method: str, path: str, body: Any = None, accept: str = "") -> http.client.HTTPResponse:
        """Sends a request; the answer is one of success."""
        headers = dict(self._headers)
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if accept:
            headers["Accept"] = accept
        c.request(method, path, body=data, headers=headers)
        answer = c.getresponse()
        if 200 <= answer.status < 300:
            return answer
        text = answer.read(_LINE)
        try:
            reason = _harmless(str(json.loads(text)["error"]))
        except (ValueError, KeyError, TypeError):
            reason = "%d %s" % (answer.status, _harmless(answer.reason or ""))
        if answer.status == 401:
            reason += " (give the user in the address, and $POWERSPY_PASSWORD%s)" % self._unread
        raise PowerSpyError("the server at %s: %s" % (self.address, reason))

    def ask(self, method: str, path: str, body: Any = None, on: Optional[http.client.HTTPConnection] = None) -> Any:
        """The value of an answer."""
        c = on or self.connection()
        try:
            text = self.send(c, method, path, body).read(_MOST + 1)
            if len(text) > _MOST:
                raise ValueError("it is too long")
            return json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as err:
            raise self.fails(err) from err
        finally:
            if on is None:
                c.close()

    def meters(self) -> List[Dict[str, Any]]:
        found = self.ask("GET", _METERS)
        if not isinstance(found, list) or not all(isinstance(m, dict) and isinstance(m.get("name"), str) for m in found):
            raise self.fails(ValueError("a list of meters was expected"))
        return found

    def meter(self) -> Dict[str, Any]:
        """The meter that is wanted, or the only one."""
        found, wanted = self.meters(), self.address.meter
        if wanted:
            names = ", ".join(_harmless(m["name"]) for m in found)
            found = [m for m in found if m["name"] == wanted] or [m for m in found if wanted in (m.get("address"), m.get("device"))]
            if not found:
                raise PowerSpyError("the server at %s has no meter %r; it has %s" % (self.address, wanted, names or "none"))
        if not found:
            raise PowerSpyError("the server at %s has no meter" % self.address)
        if len(found) > 1:
            names = ", ".join(_harmless(m["name"]) for m in found)
            raise PowerSpyError("the server at %s has several meters, say which: %s" % (self.address, names))
        return found[0]

    def ready(self) -> str:
        """The path of the meter, once it measures."""
        deadline = time.monotonic() + self.timeout
        while True:
            m = self.meter()
            if m.get("state") == "up":
                return _METERS + "/" + urllib.parse.quote(m["name"], safe="")
            if m.get("state") != "connecting" or time.monotonic() > deadline:
                reason = _harmless(str(m.get("reason") or "it was not reached yet"))
                raise PowerSpyError("the meter %s does not measure: %s" % (_harmless(m["name"]), reason))
            time.sleep(0.1)


# --- Clocks ------------------------------------------------------------------


@dataclass(frozen=True)
class _Clock:
    """How far a server's clock is ahead of this machine's, and by how much that may
    be off either way, in seconds."""

    ahead: float = 0.0
    within: float = 0.0


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
            return f.read().strip()
    except (OSError, ValueError):
        return ""


def _compare(server: _Server) -> _Clock:
    """Compares the clocks by exchanges of four times, of which the one with the
    shortest way counts."""
    if server.address.socket:
        return _Clock()  # a socket of this machine
    best = None  # type: Optional[_Clock]
    c = server.connection()
    try:
        for _ in range(_EXCHANGES):
            sent = time.time()
            before = time.monotonic()
            there = server.ask("GET", "/api/v1/time", on=c)
            took = time.monotonic() - before
            if there.get("boot_id") and there["boot_id"] == _boot_id():
                return _Clock()
            received, answered = float(there["receive_s"]), float(there["transmit_s"])
            way = max(took - (answered - received), 0.0)
            now = _Clock((received - sent + answered - (sent + took)) / 2, way / 2)
            if best is None or now.within < best.within:
                best = now
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise server.fails(ValueError("no times (%s)" % err)) from err
    finally:
        c.close()
    assert best is not None
    return best


# --- Energy ------------------------------------------------------------------

_innermost = contextvars.ContextVar("powerspy_energy", default=None)  # type: contextvars.ContextVar[Optional[Energy]]


class Energy:
    """The energy between the beginning and the end of a block.

    It is a context manager, of `with` and of `async with`, and a decorator, each
    call of whose function is measured by an Energy of its own (the last one is the
    attribute `last` of the function). Blocks may be nested, and run in any threads.

    The attributes are known when the block has ended; an exception in the block
    passes through, and the energy up to it is known all the same. If the server
    can't tell the energy, that is a PowerSpyError, unless the block raised
    something itself: then it comes from the attributes.

    joules: the energy of the measured part, in J; NaN: nothing was measured
    uncertainty: two standard deviations in J, with that of the clocks
    coverage: the measured share of the time, 0 to 1: look at it
    watts, watts_min, watts_max: mean power, lowest and highest of a window, in W
    duration: in s; start, end: UNIX seconds
    windows, bridged: windows measured, and left out by the meter
    gaps: list of Gap
    clock_offset, clock_uncertainty: of the server's clock against this one, in s
    """

    # Without values: __getattr__ has them.
    joules: float
    uncertainty: float
    coverage: float
    watts: float
    watts_min: float
    watts_max: float
    duration: float
    start: float
    end: float
    windows: int
    bridged: int
    gaps: List[Gap]
    clock_offset: float
    clock_uncertainty: float

    def __init__(self, address: Optional[str] = None, *, meter: Optional[str] = None, timeout: float = 10.0, ca_file: Optional[str] = None, cert_file: Optional[str] = None, key_file: Optional[str] = None) -> None:
        self._settings = {"meter": meter, "timeout": timeout, "ca_file": ca_file, "cert_file": cert_file, "key_file": key_file}  # type: Dict[str, Any]
        self._where = address
        self._server = None  # type: Optional[_Server]
        self._path = ""
        self._began = 0
        self._wall = 0
        self._length = -1
        self._clock = _Clock()
        self._result = None  # type: Optional[Dict[str, Any]]
        self._failed = None  # type: Optional[PowerSpyError]
        self._token = None  # type: Any

    # The steps of a block. Times are taken outside of all that takes time.

    def _prepare(self) -> None:
        if self._server is not None:
            raise PowerSpyError("this Energy has measured already: make another one")
        s = self._settings
        server = _Server(_address(self._where, s["meter"]), s["timeout"], s["ca_file"], s["cert_file"], s["key_file"])
        self._path = server.ready()
        self._clock = _compare(server)
        self._server = server

    def _start(self) -> None:
        self._token = _innermost.set(self)
        self._wall, self._began = time.time_ns(), time.monotonic_ns()

    def _stop(self) -> None:
        self._length = time.monotonic_ns() - self._began
        token, self._token = self._token, None
        try:
            _innermost.reset(token)
        except ValueError:
            pass  # it ends in another context than it began in, as generators do

    def _fetch(self) -> None:
        server = self._server
        assert server is not None
        try:
            clock = _compare(server)
            # This machine's clock may be set meanwhile; the time that passed is known.
            start = self._wall + round(self._clock.ahead * 1e9)
            end = self._wall + self._length + round(clock.ahead * 1e9)
            end = max(start, end)
            self._result = self._tell(server, start, end, clock)
        except PowerSpyError as err:
            self._failed = err

    def _span(self, server: _Server, start: int, end: int) -> Dict[str, Any]:
        path = "%s/energy?from=%s&to=%s" % (self._path, _seconds(start), _seconds(end))
        found = server.ask("GET", path)
        if not isinstance(found, dict) or "coverage" not in found:
            raise server.fails(ValueError("an energy was expected"))
        return found

    def _tell(self, server: _Server, start: int, end: int, clock: _Clock) -> Dict[str, Any]:
        found = self._span(server, start, end)
        joules, known = found.get("energy_J"), found.get("energy_uncertainty_J")
        variance = ((known or 0.0) / 2) ** 2
        for moment, within in ((start, self._clock.within), (end, clock.within)):
            # What the energy would be if the moment were elsewhere. Half a round trip is
            # the most that the offset is off: a rectangular distribution.
            e = round(within / math.sqrt(3) * 1e9)
            if e > 0 and joules is not None:
                for part in ((moment - e, moment), (moment, moment + e)):
                    variance += (self._span(server, *part).get("energy_J") or 0.0) ** 2 / 2
        ahead = clock.ahead
        return {
            "joules": math.nan if joules is None else float(joules),
            "uncertainty": math.nan if joules is None else 2 * math.sqrt(variance),
            "coverage": float(found["coverage"]),
            "watts": _number(found.get("power_mean_W")),
            "watts_min": _number(found.get("power_min_W")),
            "watts_max": _number(found.get("power_max_W")),
            "duration": self._length / 1e9,
            "start": self._wall / 1e9,
            "end": (self._wall + self._length) / 1e9,
            "windows": int(found.get("windows", 0)),
            "bridged": int(found.get("bridged", 0)),
            "gaps": [Gap(g["start_s"] - ahead, g["end_s"] - ahead, _harmless(str(g["reason"]))) for g in found.get("gaps") or []],
            "clock_offset": ahead,
            "clock_uncertainty": max(self._clock.within, clock.within),
        }

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in _ATTRIBUTES:
            raise AttributeError("%r object has no attribute %r" % (type(self).__name__, name))
        if self._failed is not None:
            raise self._failed
        if self._result is None:
            raise PowerSpyError("the energy is known when the block has ended")
        return self._result[name]

    def mark(self, name: str) -> None:
        """Begins a phase of this name, which lasts until the next mark."""
        if self._server is None:
            raise PowerSpyError("a mark belongs into the block")
        self._server.ask("POST", self._path + "/marks", {"name": name})

    def end_phase(self) -> None:
        """Ends the phase of the last mark, and begins none."""
        if self._server is None:
            raise PowerSpyError("the end of a phase belongs into the block")
        self._server.ask("POST", self._path + "/marks", {"end": True})

    def __str__(self) -> str:
        if self._failed is not None:
            return "energy not known: %s" % self._failed
        r = self._result
        if r is None:
            return "energy not known yet"
        if math.isnan(r["joules"]):
            return "nothing was measured in %.3f s" % r["duration"]
        # To the second digit of the uncertainty.
        u = r["uncertainty"]
        digits = min(max(1 - math.floor(math.log10(u)), 0), 6) if u > 0 else 3
        return "%.*f J +- %.*f J in %.3f s (mean %.2f W, coverage %.2f %%)" % (
            digits, r["joules"], digits, u, r["duration"], r["watts"], 100 * r["coverage"],
        )

    # A block.

    def __enter__(self) -> Energy:
        self._prepare()
        self._start()
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self._stop()
        self._fetch()
        if self._failed is not None and kind is None:
            raise self._failed

    async def __aenter__(self) -> Energy:
        await asyncio.get_running_loop().run_in_executor(None, self._prepare)
        self._start()
        return self

    async def __aexit__(self, kind: Any, value: Any, trace: Any) -> None:
        self._stop()
        await asyncio.get_running_loop().run_in_executor(None, self._fetch)
        if self._failed is not None and kind is None:
            raise self._failed

    # A decorator.

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return _decorate(function, self._where, self._settings, None)


_ATTRIBUTES = frozenset(Energy.__annotations__)


def _number(v: Optional[float]) -> float:
    return math.nan if v is None else float(v)


def _seconds(ns: int) -> str:
    return "%d.%09d" % divmod(ns, 10**9)


def _decorate(function: Callable[..., Any], address: Optional[str], settings: Dict[str, Any], report: Optional[Callable[[str, Energy], None]]) -> Callable[..., Any]:
    name = getattr(function, "__qualname__", repr(function))

    def told(e: Energy) -> None:
        wrapper.last = e  # type: ignore[attr-defined]
        if report is not None:
            report(name, e)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            e = Energy(address, **settings)
            try:
                async with e:
                    return await function(*args, **kwargs)
            finally:
                if e._length >= 0:
                    told(e)

    else:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            e = Energy(address, **settings)
            try:
                with e:
                    return function(*args, **kwargs)
            finally:
                if e._length >= 0:
                    told(e)

    wrapper.last = None  # type: ignore[attr-defined]
    return wrapper


# --- Functions ---------------------------------------------------------------


def energy(address: Optional[str] = None, *, meter: Optional[str] = None, timeout: float = 10.0, ca_file: Optional[str] = None, cert_file: Optional[str] = None, key_file: Optional[str] = None) -> Energy:
    """Measures a block or, as a decorator, a function: see Energy.

    timeout, in seconds, is for each answer of the server; ca_file has who may sign
    its certificate, where the system does not trust it; cert_file and key_file are the
    certificate that a server may want of its clients (the key may be in the same file).
    """
    return Energy(address, meter=meter, timeout=timeout, ca_file=ca_file, cert_file=cert_file, key_file=key_file)


_writing = threading.Lock()


def _report(name: str, e: Energy) -> None:
    with _writing:
        print("powerspy: %s: %s" % (name, e), file=sys.stderr)


def measured(function: Any = None, *, address: Optional[str] = None, report: Callable[[str, Energy], None] = _report, **settings: Any) -> Any:
    """Measures each call of a function, as a decorator with or without parentheses.

    report is called with the function's name and the Energy after each call; without
    it that is a line on standard error. settings are those of energy().
    """
    if isinstance(function, str):
        raise TypeError("the address is a keyword: measured(address=...)")
    settings = {"meter": None, "timeout": 10.0, "ca_file": None, "cert_file": None, "key_file": None, **settings}
    if function is None:
        return lambda f: _decorate(f, address, settings, report)
    return _decorate(function, address, settings, report)


def mark(name: str, address: Optional[str] = None, *, meter: Optional[str] = None, timeout: float = 10.0, ca_file: Optional[str] = None, cert_file: Optional[str] = None, key_file: Optional[str] = None) -> None:
    """Begins a phase of this name: in a block of energy() at its meter, unless another
    one is given."""
    e = _innermost.get()
    if e is not None and address is None and meter is None:
        e.mark(name)
        return
    server = _Server(_address(address, meter), timeout, ca_file, cert_file, key_file)
    path = _METERS + "/" + urllib.parse.quote(server.meter()["name"], safe="") + "/marks"
    server.ask("POST", path, {"name": name})


def meters(address: Optional[str] = None, *, timeout: float = 10.0, ca_file: Optional[str] = None, cert_file: Optional[str] = None, key_file: Optional[str] = None) -> List[Dict[str, Any]]:
    """The meters of a server, as its API has them: name, state, last_reading ..."""
    return _Server(_address(address, None), timeout, ca_file, cert_file, key_file).meters()


def readings(address: Optional[str] = None, interval: float = 1.0, *, meter: Optional[str] = None, timeout: float = 10.0, ca_file: Optional[str] = None, cert_file: Optional[str] = None, key_file: Optional[str] = None) -> Iterator[Reading]:
    """Yields a Reading each interval, in seconds, until the server ends.

    What was not measured is in the gaps of the reading after it. A connection that
    breaks is a PowerSpyError.
    """
    if not interval > 0:
        raise PowerSpyError("interval %r is not above 0" % interval)
    server = _Server(_address(address, meter), timeout, ca_file, cert_file, key_file)
    return _stream(server, interval)


def _reading(item: Dict[str, Any], ahead: float, gaps: Tuple[Gap, ...]) -> Reading:
    power, length = item["power_W"], item.get("length_s", item["end_s"] - item["start_s"])
    return Reading(
        start=item["start_s"] - ahead,
        end=item["end_s"] - ahead,
        power=power,
        # What an interval of a single window leaves out.
        power_min=item.get("power_min_W", power),
        power_max=item.get("power_max_W", power),
        voltage=item["voltage_V"],
        current=item["current_A"],
        power_factor=item.get("power_factor"),
        frequency=item["frequency_Hz"],
        energy=item.get("energy_J", power * length),
        windows=item.get("windows", 1),
        bridged=item.get("bridged", 0),
        partial=item.get("partial", False),
        gaps=gaps,
    )


def _stream(server: _Server, interval: float) -> Iterator[Reading]:
    path = _METERS + "/" + urllib.parse.quote(server.meter()["name"], safe="")
    clock, compared = _compare(server), time.monotonic()
    c = server.connection()
    try:
        answer = server.send(c, "GET", "%s/events?interval=%gs" % (path, interval), accept="application/jsonl")
        if c.sock is not None:
            c.sock.settimeout(max(_QUIET, server.timeout))
        gaps = []  # type: List[Gap]
        while True:
            line = answer.readline(_LINE + 1)
            if not line:
                return
            if len(line) > _LINE:
                raise ValueError("a line is too long")
            if not line.strip():
                continue  # it says that the server is alive
            item = json.loads(line)
            if clock.within > 0 and time.monotonic() - compared > 60:
                clock, compared = _compare(server), time.monotonic()
            kind = item.get("type")
            if kind == "gap":
                gaps.append(Gap(item["start_s"] - clock.ahead, item["end_s"] - clock.ahead, _harmless(str(item.get("reason", "")))))
            elif kind == "reading":
                reading = _reading(item, clock.ahead, tuple(gaps))
                gaps = []
                yield reading
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError) as err:
        raise server.fails(err) from err
    finally:
        c.close()
