package client

import (
	"io/fs"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// trustSocket says whether a socket is this user's own, or root's: another user's may
// tell anything.
func trustSocket(path string, me int) error {
	info, err := os.Stat(path)
	if err != nil {
		return &net.OpError{Op: "dial", Net: "unix", Err: err}
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return &net.OpError{Op: "dial", Net: "unix", Err: fs.ErrInvalid}
	}
	return trust(int(stat.Uid), me)
}

// trustPeer is trustSocket for the process that listens, as of unix(7), SO_PEERCRED.
func trustPeer(conn net.Conn, me int) error {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return fs.ErrInvalid
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var perr error
	if err := raw.Control(func(fd uintptr) { peer, perr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return err
	}
	if perr != nil {
		return os.NewSyscallError("getsockopt", perr)
	}
	return trust(int(peer.Uid), me)
}
