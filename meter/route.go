package meter

import (
	"context"

	"powerspy2/powerspy"
)

// A Route leads to one located, paired and claimed meter, as often as is
// needed, for programs that exchange the bytes themselves. Most programs want
// [Open] or [Supervise].
type Route struct {
	route   *route
	release func() error
}

// Locate finds the meter that cfg wants, pairs with it when it is not paired,
// and claims it until Close. It is not connected to yet. Errors match one of
// the sentinels of this package.
func Locate(ctx context.Context, cfg Config) (*Route, error) {
	r, err := resolve(ctx, cfg, system)
	if err != nil {
		return nil, err
	}
	release, err := cfg.claim(r.target)
	if err != nil {
		return nil, err
	}
	return &Route{route: r, release: release}, nil
}

// Target returns where the meter was found.
func (r *Route) Target() Target { return r.route.target }

// Dial opens a link, on which nothing has been sent. A Bluetooth meter is
// looked for first (see [powerspy2/rfcomm.Dial]), so that trying again and
// again does the kernel no harm. A key that it forgot is healed by pairing
// anew. Errors match those of [Open]. Config.Trace is shown the link's bytes, a
// call a Read or Write. Dial must not be called concurrently.
func (r *Route) Dial(ctx context.Context) (powerspy.Link, error) {
	l, err := r.route.healed(ctx)
	if err != nil || r.route.cfg.Trace == nil {
		return l, err
	}
	return &traced{l, r.route.cfg.Trace}, nil
}

// A traced link shows its bytes.
type traced struct {
	powerspy.Link
	trace func(sent bool, p []byte)
}

func (l *traced) Read(p []byte) (int, error) {
	n, err := l.Link.Read(p)
	l.show(false, p[:n])
	return n, err
}

func (l *traced) Write(p []byte) (int, error) {
	n, err := l.Link.Write(p)
	l.show(true, p[:n])
	return n, err
}

func (l *traced) show(sent bool, p []byte) {
	if len(p) > 0 {
		l.trace(sent, p)
	}
}

// Close gives the meter back to others, with the error of Config.Claim's
// release. It closes no links.
func (r *Route) Close() error { return r.release() }

// IsFinal tells an error that trying again does not mend: wrong usage, a kernel
// whose Bluetooth is stuck or absent, a PIN that was refused.
func IsFinal(err error) bool { return isFinal(err) }

// MayPass tells an error of a meter that is there and may get over it: silence,
// a link that broke.
func MayPass(err error) bool { return mayPass(err) }
