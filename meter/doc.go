// Package meter is a PowerSpy2 that a person can rely on: it finds the meter,
// pairs with it when that is needed, opens a link, reads what is necessary to
// turn the meter's counts into volts, amperes and watts, and streams readings.
//
// A Target says where a meter is: an address, a name, a serial line, a TCP port,
// or the simulated meter. Open goes from a Target to a Meter, and Supervise to
// windows that keep coming, from which package measure makes readings:
//
//	target, err := meter.ParseTarget("sim:")
//	s, err := meter.Supervise(ctx, meter.Config{Target: target}, meter.StreamConfig{}, meter.Recovery{})
//	defer s.Close()
//	for {
//		event, err := s.Next()
//		...
//	}
//
// Below it are package bluez (finding and pairing), package rfcomm (the radio
// link) and package powerspy (the meter's language), none of which knows the
// others.
//
// What is read of a meter when a link is opened is remembered for the next link,
// and may be for the next run ([Config].Recall and Learnt): the Facts. Whatever
// is odd about the meter is reported as a Status of phase Noticed.
//
// # How to read it
//
// Three subjects, each from the top to the bottom:
//   - finding a meter: target.go, find.go, scan.go, pair.go, route.go, open.go,
//     link.go, connect.go; machine.go and doctor.go for what a machine lacks
//   - lasting: stream.go, placer.go, quality.go and averaging.go make windows of
//     frames, supervise.go goes on after trouble, by a ladder.go of steps
//     (step.go) that recoverer.go chooses (refuse.go) and takes (take.go,
//     restart.go); recover.go does so by hand. replay.go and study.go do it all
//     with a log
//   - the functions of the meter: clock.go, eeprom.go, files.go, log.go,
//     capture.go
//
// # Errors
//
// An error of this package is an [*Error] (errors.As), and matches (errors.Is) one of the sentinels [ErrNotFound],
// [ErrNotReady], [ErrPairing], [ErrNoAnswer], [ErrUsage] and [ErrInterval],
// which are named after what a person can do about them, beside its cause: a
// sentinel of the packages below, or an error of the system. Two kinds of error
// have no sentinel: that of a context which ended, which is wrapped as it is,
// and what nothing is known about.
package meter
