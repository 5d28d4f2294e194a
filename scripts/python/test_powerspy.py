"""Tests of powerspy.py. A server is at the address $TEST_ADDRESS: its meter sim has a
load of 80 W, sim2 one that goes from 40 to 100 W and back. The command powerspy is
$TEST_COMMAND."""

import asyncio
import contextlib
import http.server
import io
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import powerspy  # noqa: E402

SERVER = os.environ.get("TEST_ADDRESS", "")
ADDRESS = SERVER + ":sim2"
LOW, HIGH = 40.0, 100.0


class Real(unittest.TestCase):
    """With the real server."""

    def setUp(self):
        os.environ["POWERSPY_DEVICE"] = ADDRESS

    def plausible(self, e, at_least):
        self.assertGreaterEqual(e.duration, at_least)
        self.assertAlmostEqual(e.end - e.start, e.duration, 5)
        self.assertAlmostEqual(e.coverage, 1, 6)
        self.assertTrue(LOW - 1 < e.watts_min <= e.watts + 1e-6, str(e))
        self.assertTrue(e.watts - 1e-6 <= e.watts_max < HIGH + 1, str(e))
        self.assertAlmostEqual(e.joules, e.watts * e.duration, 4)
        self.assertTrue(0 < e.uncertainty < 0.01 + HIGH * 0.02 + 0.1 * e.joules, str(e))
        self.assertEqual((e.gaps, e.clock_offset, e.clock_uncertainty), ([], 0, 0))

    def test_agrees_with_run(self):
        command = [os.environ["TEST_COMMAND"], "run", "--device", ADDRESS, "--format", "json", "--output", "-", "--", "sleep", "0.5"]
        with powerspy.energy(ADDRESS) as e:
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        run = json.loads(out)
        self.plausible(e, 0.5)
        more = e.duration - run["duration_s"]
        self.assertGreater(more, 0)
        within = e.uncertainty + run["energy_uncertainty_J"]
        self.assertGreater(e.joules - run["energy_J"], LOW * more - within)
        self.assertLess(e.joules - run["energy_J"], HIGH * more + within)

    def test_agrees_with_the_truth(self):
        with powerspy.energy(meter="sim") as e:
            time.sleep(0.3)
        self.plausible(e, 0.3)
        # The meter counts power in steps, which put its 80 W off by less than 0.1 %.
        self.assertLess(abs(e.joules - 80 * e.duration), e.uncertainty + 1e-3 * e.joules, str(e))
        self.assertLess(e.uncertainty, 0.01 * e.joules)
        with self.assertRaises(powerspy.PowerSpyError):
            e.__enter__()
        told = re.match(r"[0-9.]+ J \+- ([0-9.]+) J in ", str(e))
        self.assertAlmostEqual(float(told[1]) / e.uncertainty, 1, delta=0.06)

    def test_nested_threads_and_marks(self):
        inner, me = [], os.getpid()  # other versions are at the same server

        def job(name):
            with powerspy.energy(ADDRESS) as e:
                e.mark(name)
                time.sleep(0.1)
            inner.append(e)

        with powerspy.energy(ADDRESS) as outer:
            powerspy.mark("outer %d" % me)
            with powerspy.energy(SERVER, meter="sim") as e:
                powerspy.mark("inner %d" % me)
            powerspy.mark("again %d" % me)
            threads = [threading.Thread(target=job, args=("thread %d %d" % (i, me),)) for i in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            outer.end_phase()
        self.assertEqual(len(inner), 4)
        for i in inner:
            self.plausible(i, 0.1)
            self.assertLess(i.joules, outer.joules)
        self.plausible(e, 0)
        powerspy.mark("plain %d" % me)
        server = powerspy._Server(powerspy._parse(SERVER), 10, None)
        for meter, want in (("sim", {"inner %d" % me}), ("sim2", {"outer %d" % me, "again %d" % me, "thread 3 %d" % me, "plain %d" % me})):
            names = {m["name"] for m in server.ask("GET", "/api/v1/meters/%s/marks" % meter)}
            self.assertEqual(want & names, want)
            self.assertIs("inner %d" % me in names, meter == "sim")
        with self.assertRaisesRegex(powerspy.PowerSpyError, "name"):
            powerspy.mark("")

    def test_exceptions_pass(self):
        with self.assertRaises(KeyError):
            with powerspy.energy(ADDRESS) as e:
                time.sleep(0.05)
                raise KeyError("mine")
        self.plausible(e, 0.05)

    def test_decorators(self):
        told = []

        @powerspy.energy(ADDRESS)
        def one(x, y=1):
            """Doc."""
            return x + y

        @powerspy.measured
        def two():
            raise ValueError("from two")

        @powerspy.measured(address=ADDRESS, report=lambda name, e: told.append((name, e)))
        async def three():
            await asyncio.sleep(0.05)
            return 3

        self.assertEqual((one(1, y=2), one.__name__, one.__doc__), (3, "one", "Doc."))
        self.plausible(one.last, 0)
        before, errors = one.last, io.StringIO()
        one(2)
        self.assertIsNot(one.last, before)
        with contextlib.redirect_stderr(errors), self.assertRaisesRegex(ValueError, "from two"):
            two()
        self.assertRegex(errors.getvalue(), r"^powerspy: .*two: [0-9.]+ J \+- .*coverage 100.00 %\)\n$")
        self.assertEqual(asyncio.run(three()), 3)
        self.assertEqual(len(told), 1)
        self.plausible(told[0][1], 0.05)

    def test_async(self):
        async def both():
            async with powerspy.energy() as a:
                async def inner():
                    async with powerspy.energy() as b:
                        await asyncio.sleep(0.05)
                    return b
                return (a, *await asyncio.gather(inner(), inner()))

        for e in asyncio.run(both()):
            self.plausible(e, 0.05)

    def test_readings(self):
        got = []
        for r in powerspy.readings(ADDRESS, interval=0.1):
            got.append(r)
            if len(got) == 5:
                break
        for a, b in zip(got, got[1:]):
            self.assertAlmostEqual(a.end, b.start, 3)
        for r in got:
            self.assertTrue(LOW - 1 < r.power_min <= r.power <= r.power_max < HIGH + 1, r)
            self.assertAlmostEqual(r.energy, r.power * (r.end - r.start), 0)
            self.assertEqual(r.gaps, ())
            self.assertLess(abs(time.time() - r.end), 60)
        window = next(powerspy.readings(ADDRESS, interval=0.001))
        self.assertEqual(window.windows, 1)
        self.assertEqual([m["name"] for m in powerspy.meters()], ["sim", "sim2"])

    def test_other_meters(self):
        with self.assertRaisesRegex(powerspy.PowerSpyError, "has no meter 'nobody'; it has sim, sim2$"):
            powerspy.mark("x", ADDRESS, meter="nobody")
        with self.assertRaisesRegex(powerspy.PowerSpyError, "several meters, say which: sim, sim2$"):
            powerspy.mark("x", SERVER)


class Fake(http.server.BaseHTTPRequestHandler):
    """A server whose clock is ahead, and which does what a test wants."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is a packet
    ahead = 37.0
    slow = 0.0
    answers = {}  # by the start of a path
    asked = []
    password = None

    def log_message(self, *args):
        pass

    def do_GET(self):
        received = time.time() + self.ahead
        self.asked.append(self.path)
        if self.password and self.headers.get("Authorization") != self.password:
            return self.say(401, {"error": "wrong\x1b[2J password"})
        for start, (status, value) in self.answers.items():
            if self.path.startswith(start):
                return self.say(status, value)
        if self.path == "/api/v1/time":
            time.sleep(self.slow)  # on the way back
            return self.say(200, {"time_s": received, "receive_s": received, "transmit_s": received})
        if self.path == "/api/v1/meters":
            return self.say(200, [{"name": "rack/1", "state": "up"}])
        if "/energy?" in self.path:
            query = dict(p.split("=") for p in self.path.partition("?")[2].split("&"))
            d = float(query["to"]) - float(query["from"])
            self.say(200, {
                "energy_J": 50 * d, "energy_uncertainty_J": 0.01, "coverage": 1, "windows": 5, "bridged": 0,
                "power_mean_W": 50, "power_min_W": 50, "power_max_W": 50,
                "gaps": [{"start_s": float(query["from"]), "end_s": float(query["to"]), "reason": "x\n"}],
            })
            return None
        return self.say(404, {"error": "nothing here"})

    def say(self, status, value):
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Faked(unittest.TestCase):
    """With a server that is none."""

    def serve(self, **attributes):
        handler = type("Handler", (Fake,), {"asked": [], "answers": {}, **attributes})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()

        def end():
            server.shutdown()
            server.server_close()
            thread.join()

        self.addCleanup(end)
        return "http://127.0.0.1:%d" % server.server_port, handler

    def test_clocks(self):
        address, handler = self.serve()
        before = time.time()
        with powerspy.energy(address, meter="rack/1") as e:
            time.sleep(0.1)
        self.assertLess(abs(e.clock_offset - 37), e.clock_uncertainty + 1e-3)
        self.assertTrue(0 < e.clock_uncertainty < 5)
        self.assertTrue(before <= e.start <= e.end <= time.time())
        asked = [p for p in handler.asked if "/meters/rack%2F1/energy?" in p]
        start = float(asked[0].partition("from=")[2].partition("&")[0])
        self.assertLess(abs(start - 37 - e.start), e.clock_uncertainty + 1e-3)
        self.assertLess(abs(e.joules - 50 * e.duration), e.uncertainty)
        self.assertGreater(e.uncertainty, 0.01)
        self.assertLess(abs(e.gaps[0].start - e.start), 5)
        self.assertEqual(e.gaps[0].reason, "x\\n")
        address, _ = self.serve(slow=0.02)
        with powerspy.energy(address) as far:
            pass
        self.assertTrue(0.01 <= far.clock_uncertainty < 5)
        self.assertLess(abs(far.clock_offset - 37), far.clock_uncertainty + 1e-3)
        self.assertGreater(far.uncertainty, 50 * 0.01)  # of 50 W and over 10 ms at both ends

    def test_failures(self):
        cases = [
            ({"/api/v1/meters": (200, [])}, "has no meter$"),
            ({"/api/v1/meters": (200, [{"name": "a"}, {"name": "b\x1b"}])}, r"several meters, say which: a, b\\x1b$"),
            ({"/api/v1/meters": (200, [{"name": "a", "state": "away", "reason": "it is off"}])}, "the meter a does not measure: it is off$"),
            ({"/api/v1/meters": (200, {"a": 1})}, "answers what makes no sense"),
            ({"/api/v1/meters": (200, b"<html>")}, "answers what makes no sense"),
            ({"/api/v1/meters": (302, b"")}, ": 302 "),
            ({"/api/v1/time": (200, {"time_s": 5})}, "no times"),
        ]
        for answers, want in cases:
            with self.subTest(want):
                address, _ = self.serve(answers=answers)
                with self.assertRaisesRegex(powerspy.PowerSpyError, want):
                    with powerspy.energy(address):
                        self.fail("it runs")

    def test_end_fails(self):
        address, handler = self.serve()
        with self.assertRaisesRegex(powerspy.PowerSpyError, "http://127.0.0.1:[0-9]+: on fire$"):
            with powerspy.energy(address) as e:
                handler.answers["/api/v1/meters/rack%2F1/energy"] = (500, {"error": "on fire"})
        with self.assertRaisesRegex(powerspy.PowerSpyError, "on fire"):
            e.joules
        with self.assertRaises(KeyError):
            with powerspy.energy(address) as e:
                raise KeyError
        with self.assertRaisesRegex(powerspy.PowerSpyError, "on fire"):
            e.coverage
        self.assertIn("on fire", str(e))
        handler.answers.clear()
        nothing = {"energy_J": None, "energy_uncertainty_J": None, "coverage": 0, "power_mean_W": None}
        handler.answers["/api/v1/meters/rack%2F1/energy"] = (200, nothing)
        with powerspy.energy(address) as e:
            with self.assertRaisesRegex(powerspy.PowerSpyError, "when the block has ended"):
                e.joules
        self.assertTrue(math.isnan(e.joules) and math.isnan(e.uncertainty) and e.coverage == 0)
        self.assertIn("nothing was measured", str(e))
        with self.assertRaises(AttributeError):
            e.watt

    def test_login(self):
        address, handler = self.serve(password="Basic YW5uOnPDqWNyZXQ=")  # ann:sécret
        with mock.patch.dict(os.environ, {"POWERSPY_PASSWORD": "", "HOME": "/nonexistent"}):
            with self.assertRaisesRegex(powerspy.PowerSpyError, r"wrong\\x1b\[2J password \(give the user"):
                powerspy.meters(address)
            os.environ["POWERSPY_PASSWORD"] = "sécret"
            user = address.replace("//", "//ann@")
            self.assertEqual(powerspy.meters(user)[0]["name"], "rack/1")
            with self.assertRaisesRegex(powerspy.PowerSpyError, "not sent to http://lab.example:80 without TLS"):
                powerspy.meters("http://ann@lab.example")
            del os.environ["POWERSPY_PASSWORD"]
            address, handler = self.serve(password="Basic YW5uOnNlY3JldA==")  # ann:secret
            with tempfile.TemporaryDirectory() as home:
                os.environ["HOME"] = home
                with open(os.path.join(home, ".netrc"), "w", encoding="utf-8") as f:
                    os.chmod(f.name, 0o600)
                    f.write("machine 127.0.0.1 login ann password secret\n")
                self.assertEqual(powerspy.meters(address)[0]["name"], "rack/1")
                with self.assertRaises(powerspy.PowerSpyError):
                    powerspy.meters(address.replace("//", "//bob@"))
                with open(f.name, "w", encoding="utf-8") as f:
                    f.write("rubbish\n")
                with self.assertRaisesRegex(powerspy.PowerSpyError, "wrong.* password .*netrc"):
                    powerspy.meters(address)

    def test_streams(self):
        reading = {
            "type": "reading", "start_s": 100.0, "end_s": 101.0, "power_W": 5, "power_min_W": 4, "power_max_W": 6, "voltage_V": 230,
            "current_A": 0.1, "power_factor": None, "frequency_Hz": 50, "energy_J": 5, "windows": 50, "bridged": 0, "partial": False,
        }
        gap = {"type": "gap", "start_s": 90, "end_s": 100, "reason": "away"}
        lines = [{"type": "header"}, gap, {"type": "status"}, reading, reading]
        text = b"\n".join(json.dumps(x).encode() for x in lines) + b"\n\n"
        address, handler = self.serve(answers={"/api/v1/meters/rack%2F1/events": (200, text)})
        got = list(powerspy.readings(address, 2.5))
        self.assertEqual([len(r.gaps) for r in got], [1, 0])
        self.assertLess(abs(got[0].end - (101 - 37)), 5)
        self.assertIn("/api/v1/meters/rack%2F1/events?interval=2.5s", handler.asked)
        for bad in (b"{]\n", b"5\n", b'{"type":"reading"}\n', b"x" * (1 << 20) + b"x\n"):
            handler.answers["/api/v1/meters/rack%2F1/events"] = (200, bad)
            with self.assertRaisesRegex(powerspy.PowerSpyError, "makes no sense"):
                list(powerspy.readings(address))
        with self.assertRaisesRegex(powerspy.PowerSpyError, "interval 0 is not above 0"):
            powerspy.readings(address, 0)


class Addresses(unittest.TestCase):
    def test_forms(self):
        parse = powerspy._parse
        self.assertEqual(parse("unix:/run/a%3Ab:rack:1"), powerspy._Address(socket="/run/a:b", meter="rack:1"))
        self.assertEqual(parse("https://ann@lab/rack%201"), powerspy._Address(tls=True, host="lab", port=443, user="ann", meter="rack 1"))
        self.assertEqual(str(parse("http://[::1]:8080")), "http://[::1]:8080")
        self.assertIsNone(parse("PowerSpy 4567"))
        for bad in ("unix:", "http://", "https://a:b@c", "http://h:99999", "http://h/?x"):
            with self.subTest(bad), self.assertRaises(powerspy.PowerSpyError):
                parse(bad)
        with self.assertRaisesRegex(powerspy.PowerSpyError, "neither unix:PATH nor http"):
            powerspy.meters("sim:")
        with self.assertRaises(TypeError):
            powerspy.measured("unix:/x")

    def test_usual(self):
        with tempfile.TemporaryDirectory() as run:
            path = os.path.join(run, "powerspy", "serve.sock")
            os.mkdir(os.path.dirname(path))
            with mock.patch.dict(os.environ, {"XDG_RUNTIME_DIR": run, "POWERSPY_DEVICE": "rack 1"}):
                with open(path, "w", encoding="ascii"):
                    pass
                self.assertEqual(powerspy._address(None, None), powerspy._Address(socket=path, meter="rack 1"))
                self.assertEqual(powerspy._address(None, "rack 2").meter, "rack 2")
                with self.assertRaisesRegex(powerspy.PowerSpyError, "is no socket"):
                    powerspy.meters()
                os.environ["POWERSPY_DEVICE"] = "http://lab:1/x"
                self.assertEqual(powerspy._address(None, None), powerspy._Address(host="lab", port=1, meter="x"))
            with self.assertRaisesRegex(powerspy.PowerSpyError, "no server listens at unix:.*: start `powerspy serve`"):
                powerspy.meters("unix:" + path + "2")
            if os.path.exists(powerspy._SYSTEM_SOCKET):
                return
            with mock.patch.dict(os.environ, {"XDG_RUNTIME_DIR": "/nonexistent", "POWERSPY_DEVICE": "", "TMPDIR": run}), \
                    mock.patch.object(powerspy.os.path, "exists", return_value=False):
                with self.assertRaisesRegex(powerspy.PowerSpyError, "no server runs on this machine"):
                    powerspy.meters()


if __name__ == "__main__":
    unittest.main()
