"""Measures as the older programs do: a serial device, no Bluetooth of its own.

usage: oldtool.py DEVICE SECONDS
"""
import sys
import time

import serial


def ask(port, request):
    port.write(request)
    answer = port.read_until(b">").strip()
    if not answer.startswith(b"<") or not answer.endswith(b">"):
        sys.exit("%r was answered by %r" % (request, answer))
    return answer[1:-1].decode("ascii")


port = serial.Serial(sys.argv[1], 115200, timeout=10)
print("identity", ask(port, b"<?>"))
calibration = [ask(port, b"<V%02X>" % address) for address in range(0x0E, 0x1E)]
print("calibration", "".join(calibration))
print("frequency", ask(port, b"<F>"))
print("start", ask(port, b"<J0005>"), flush=True)
begun = last = time.monotonic()
frames, gap = 0, 0.0
while last - begun < float(sys.argv[2]):
    frame = port.read_until(b">").strip()
    if not frame.startswith(b"<") or not frame.endswith(b">") or len(frame.split()) < 4:
        sys.exit("%r is not a frame" % frame)
    now = time.monotonic()
    frames, gap, last = frames + 1, max(gap, now - last), now
    if frames == 10:
        print("measuring", flush=True)
port.write(b"<Q>")
port.close()
print("frames", frames)
print("gap", "%.3f" % gap)
