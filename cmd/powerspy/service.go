package main

import (
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"powerspy2/internal/harmless"
	"powerspy2/measure"
	"powerspy2/meter"
)

// A notifier tells systemd how a measurement is going (sd_notify(3)): ready at
// the first reading; alive only while readings come or a recovery is under
// way, so that the watchdog ends a program that hangs; and what
// `systemctl status` shows. A nil notifier tells nobody. Its methods must not
// be called concurrently.
type notifier struct {
	send     func(state string)
	every    time.Duration // between two signs of life
	next     time.Time     // of the next one
	ready    bool
	stopping bool
	readings uint64
	gaps     int
}

// statusEvery is the time between two signs of life where no watchdog waits
// for them: the status is kept fresh.
const statusEvery = 10 * time.Second

// newNotifier returns a notifier for readings that come so far apart; nil when
// systemd does not ask for notifications.
func newNotifier(interval time.Duration) *notifier {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	// Settings that can't be read are those of no watchdog: there is nothing
	// better to be done about what systemd itself has set.
	watchdog, _ := daemon.SdWatchdogEnabled(false)
	return startNotifier(notify, watchdog, interval)
}

// notify sends to systemd. Measuring does not depend on it.
func notify(state string) { _, _ = daemon.SdNotify(false, state) }

// startNotifier makes a notifier for a watchdog that bites after so long; 0:
// there is none.
func startNotifier(send func(string), watchdog, interval time.Duration) *notifier {
	n := &notifier{send: send, every: statusEvery}
	if watchdog == 0 {
		return n
	}
	if slow := 3 * interval; watchdog < slow {
		// Between two readings there is nothing to tell, which is not a hang.
		watchdog = slow
		send(fmt.Sprintf("WATCHDOG_USEC=%d", watchdog.Microseconds()))
	}
	// A sign that comes too early is left out, so the longest silence is this
	// and an interval: two thirds of the watchdog's patience.
	n.every = watchdog / 3
	return n
}

// Event takes note of an event that the stream yielded.
func (n *notifier) Event(e *measure.Event) {
	if n == nil {
		return
	}
	switch e.Kind {
	case measure.ReadingEvent:
		n.readings++
		n.alive(e.Reading.Power)
	case measure.GapEvent:
		n.gaps++
	case measure.StatusEvent:
		n.Status(e.Status)
	}
}

// alive is a sign of life: a reading came.
func (n *notifier) alive(power float64) {
	now := time.Now()
	if n.ready && now.Before(n.next) {
		return
	}
	n.next = now.Add(n.every)
	state := "WATCHDOG=1\nSTATUS=" + n.status(power, now)
	if !n.ready {
		n.ready = true
		state = daemon.SdNotifyReady + "\n" + state
	}
	n.send(state)
}

func (n *notifier) status(power float64, now time.Time) string {
	return fmt.Sprintf("%.3f W at %s; %s, %s", power, now.Format(time.TimeOnly), count(n.readings, "reading"), count(uint64(n.gaps), "gap"))
}

// count writes a number of things.
func count(n uint64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Status takes note of what is going on. What is not streaming is a step of
// setting up or of a recovery, which are bounded in time each and so are signs
// of life.
func (n *notifier) Status(s meter.Status) {
	if n == nil || n.stopping {
		return
	}
	// A line break would begin another message.
	state := "STATUS=" + harmless.Text(s.Text)
	if s.Phase != meter.Streaming {
		n.next = time.Now().Add(n.every)
		state += "\nWATCHDOG=1"
	}
	n.send(state)
}

// Close reports that the measurement is ending.
func (n *notifier) Close() {
	if n == nil || n.stopping {
		return
	}
	n.stopping = true
	n.send(daemon.SdNotifyStopping + "\nSTATUS=stopping the meter")
}
