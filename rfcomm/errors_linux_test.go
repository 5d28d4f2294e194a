package rfcomm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sentinels is every sentinel of the package, to show that an error matches no other than its own.
var sentinels = []error{
	ErrNotSupported, ErrAbsent, ErrKernelStuck, ErrKeyRefused, ErrBusy, ErrRefused, ErrAdapterDown, ErrAdapterHung,
	ErrLinkLost, ErrNoService, ErrOccupied,
}

func Test_opError(t *testing.T) {
	sys := os.NewSyscallError
	tests := []struct {
		name     string
		op       string
		err      error
		is       []error
		sentinel error
		timeout  bool
	}{
		{"no address family", opDial, sys("socket", unix.EAFNOSUPPORT), []error{unix.EAFNOSUPPORT}, ErrNotSupported, false},
		{"no protocol", opDial, sys("socket", unix.EPROTONOSUPPORT), []error{unix.EPROTONOSUPPORT}, ErrNotSupported, false},
		{"no socket type", opDial, sys("socket", unix.ESOCKTNOSUPPORT), []error{unix.ESOCKTNOSUPPORT}, ErrNotSupported, false},
		{"policy forbids sockets", opDial, sys("socket", unix.EACCES), []error{unix.EACCES, os.ErrPermission}, nil, false},
		{"page timeout", opDial, sys("connect", unix.EHOSTDOWN), []error{unix.EHOSTDOWN}, ErrAbsent, false},
		{"key missing", opDial, sys("connect", unix.EBADE), []error{unix.EBADE}, ErrKeyRefused, false},
		{"key refused", opDial, sys("connect", unix.EACCES), []error{unix.EACCES}, ErrKeyRefused, false},
		{"channel in use", opDial, sys("connect", unix.EBUSY), []error{unix.EBUSY}, ErrBusy, false},
		{"no listener", opDial, sys("connect", unix.ECONNREFUSED), []error{unix.ECONNREFUSED}, ErrRefused, false},
		{"adapter off", opDial, sys("connect", unix.EHOSTUNREACH), []error{unix.EHOSTUNREACH}, ErrAdapterDown, false},
		{"connect times out", opDial, sys("connect", unix.ETIMEDOUT), []error{unix.ETIMEDOUT}, nil, true},
		{"adapter vanishes", opDial, sys("connect", unix.ECONNABORTED), []error{unix.ECONNABORTED}, nil, false},
		{"dead kernel", opDial, fmt.Errorf("%w: why", ErrKernelStuck), nil, ErrKernelStuck, false},
		{"cancelled", opDial, context.Canceled, []error{context.Canceled}, nil, false},
		{"context's deadline", opDial, context.DeadlineExceeded, []error{context.DeadlineExceeded}, nil, true},
		{"cancelled while busy", opDial, fmt.Errorf("%w after %w", context.Canceled, classify(sys("connect", unix.EBUSY))),
			[]error{context.Canceled, unix.EBUSY}, ErrBusy, false},
		{"presence: page timeout", opPresent, classifyStatus(statusPageTimeout), []error{unix.EHOSTDOWN, statusPageTimeout}, ErrAbsent, false},
		{"presence: other host", opPresent, classifyStatus(statusLimited), []error{unix.ECONNREFUSED}, ErrRefused, false},
		{"presence: adapter off", opPresent, adapterGone(sys("write", unix.ENETDOWN)), []error{unix.ENETDOWN}, ErrAdapterDown, false},
		{"presence: adapter gone", opPresent, adapterGone(sys("bind", unix.ENODEV)), []error{unix.ENODEV}, ErrAdapterDown, false},
		{"channel taken", opListen, sys("bind", unix.EADDRINUSE), []error{unix.EADDRINUSE}, nil, false},
		{"accept closed", opAccept, net.ErrClosed, []error{net.ErrClosed}, nil, false},
		{"accept deadline", opAccept, os.ErrDeadlineExceeded, []error{os.ErrDeadlineExceeded}, nil, true},
		{"read closed", opRead, net.ErrClosed, []error{net.ErrClosed}, nil, false},
		{"read deadline", opRead, os.ErrDeadlineExceeded, []error{os.ErrDeadlineExceeded}, nil, true},
		{"device ends the stream", opRead, sys("read", unix.ECONNRESET), []error{unix.ECONNRESET}, nil, false},
		{"link supervision timeout", opRead, sys("read", unix.ETIMEDOUT), []error{unix.ETIMEDOUT}, ErrLinkLost, false},
		{"host ends the link", opRead, sys("read", unix.ECONNABORTED), []error{unix.ECONNABORTED}, nil, false},
		{"write on a dead stream", opWrite, sys("write", unix.ENOTCONN), []error{unix.ENOTCONN}, nil, false},
		{"write deadline", opWrite, os.ErrDeadlineExceeded, []error{os.ErrDeadlineExceeded}, nil, true},
		{"no service", opFind, ErrNoService, nil, ErrNoService, false},
	}
	local, remote := Addr{Address: testAdapter}, Addr{Address: testMeter, Channel: 1}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := opError(tt.op, tt.err, local, remote)
			var oerr *net.OpError
			if !errors.As(err, &oerr) {
				t.Fatalf("got %T, want a *net.OpError", err)
			}
			if oerr.Op != tt.op || oerr.Net != "rfcomm" {
				t.Errorf("got op %q on %q", oerr.Op, oerr.Net)
			}
			wantSource, wantAddr := net.Addr(local), net.Addr(remote)
			if tt.op == opListen || tt.op == opAccept {
				wantSource, wantAddr = nil, local
			}
			if oerr.Source != wantSource || oerr.Addr != wantAddr {
				t.Errorf("got addresses %v and %v, want %v and %v", oerr.Source, oerr.Addr, wantSource, wantAddr)
			}
			for _, target := range tt.is {
				if !errors.Is(err, target) {
					t.Errorf("%v does not match %v", err, target)
				}
			}
			for _, sentinel := range sentinels {
				if got, want := errors.Is(err, sentinel), sentinel == tt.sentinel; got != want {
					t.Errorf("%v: errors.Is(%v) is %v", err, sentinel, got)
				}
			}
			if oerr.Timeout() != tt.timeout {
				t.Errorf("Timeout is %v", oerr.Timeout())
			}
			if tt.sentinel != nil && !strings.Contains(err.Error(), tt.sentinel.Error()) {
				t.Errorf("message %q does not say %q", err, tt.sentinel)
			}
		})
	}
}

func Test_opErrorNone(t *testing.T) {
	if err := opError(opRead, nil, Addr{}, Addr{}); err != nil {
		t.Errorf("got %v of no error", err)
	}
	err := opError(opDial, unix.EINVAL, Addr{}, Addr{Address: testMeter, Channel: 1})
	var oerr *net.OpError
	if !errors.As(err, &oerr) || oerr.Source != nil {
		t.Errorf("got %#v, want no source", err)
	}
	if err := opError(opFile, unix.EINVAL, Addr{}, Addr{}); err.Error() != "file rfcomm: invalid argument" {
		t.Errorf("got %q", err)
	}
}
