package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"powerspy2/internal/serve"
	"powerspy2/internal/serve/api"
)

// hangs is after how long a meter of which nothing is heard hangs: a step of a
// recovery takes less.
const hangs = 4 * time.Minute

// watch tells systemd how a server is going, and reads its web configuration again
// on SIGHUP, until stop is called.
func (s *serving) watch(ctx context.Context, server *serve.Server, webConfig string, listeners []*serve.Listener) (stop func()) {
	send := func(string) {}
	every := statusEvery
	if os.Getenv("NOTIFY_SOCKET") != "" {
		send = notify
		// Settings that can't be read are those of no watchdog.
		if watchdog, _ := daemon.SdWatchdogEnabled(false); watchdog > 0 {
			every = min(every, watchdog/3)
		}
	}
	// As for --output: a terminal that goes away ends the server.
	endless := signal.Ignored(syscall.SIGHUP) || !onTerminal()
	hangups := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Reset(syscall.SIGHUP)
	}
	signal.Notify(hangups, syscall.SIGHUP)
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		defer signal.Stop(hangups)
		tick := time.NewTicker(every)
		defer tick.Stop()
		send(daemon.SdNotifyReady + "\nSTATUS=" + serverStatus(server))
		ending := ctx.Done()
		for {
			select {
			case <-ended:
				return
			case <-ending:
				ending = nil
				tick.Stop()
				send(daemon.SdNotifyStopping + "\nSTATUS=stopping the meters")
			case <-tick.C:
				state := "STATUS=" + serverStatus(server)
				if server.Silent() < hangs {
					state += "\nWATCHDOG=1"
				}
				send(state)
			case <-hangups:
				if !endless && !onTerminal() {
					s.env.interrupt()
					continue
				}
				s.reload(server, webConfig, listeners)
			}
		}
	}()
	return func() {
		close(ended)
		<-stopped
	}
}

// reload reads the web configuration again. When that fails the one that there is
// stays in force.
func (s *serving) reload(server *serve.Server, path string, listeners []*serve.Listener) {
	if path == "" {
		return
	}
	w, err := serve.LoadWebConfig(path)
	if err == nil {
		err = server.Reload(w, listeners...)
	}
	if err != nil {
		s.progress.Failure("web configuration: %s; the one of before stays in force", sentence(err))
		return
	}
	s.progress.Line("the web configuration was read again")
}

// serverStatus is what `systemctl status` shows.
func serverStatus(server *serve.Server) string {
	up := 0
	for _, m := range server.Meters() {
		if state, _ := m.State(); state == api.Up {
			up++
		}
	}
	return fmt.Sprintf("%d of %s up; %s", up, count(uint64(len(server.Meters())), "meter"), count(uint64(server.Readers()), "reader"))
}
