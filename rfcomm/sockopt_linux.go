package rfcomm

import (
	"os"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

// What golang.org/x/sys/unix does not name (include/net/bluetooth/bluetooth.h).
const (
	btSecurity       = 4 // BT_SECURITY, level SOL_BLUETOOTH
	btSecurityLow    = 1
	btSecurityMedium = 2
	btSecurityHigh   = 3
)

// A protocol is a kind of Bluetooth socket that this package opens.
type protocol int

const (
	protocolRFCOMM protocol = unix.BTPROTO_RFCOMM // a stream
	protocolL2CAP  protocol = unix.BTPROTO_L2CAP  // sequenced packets
)

// openSocket makes a non-blocking socket of the protocol with a security level, bound to an adapter unless local is zero.
// A kernel without the modules tries to load them.
func openSocket(p protocol, local bdaddr.Address, level Security) (fd int, err error) {
	kind := unix.SOCK_STREAM
	if p == protocolL2CAP {
		kind = unix.SOCK_SEQPACKET
	}
	fd, err = unix.Socket(unix.AF_BLUETOOTH, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(p))
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	// Be sure to close fd on every error from here on.
	if err := setSecurity(fd, level); err != nil {
		closeFD(fd)
		return -1, err
	}
	if !local.IsZero() {
		if err := unix.Bind(fd, sockaddr(p, local, 0)); err != nil {
			closeFD(fd)
			return -1, os.NewSyscallError("bind", err)
		}
	}
	return fd, nil
}

// setSecurity sets BT_SECURITY, struct bt_security: the level and the key size, 0 for the kernel's choice.
func setSecurity(fd int, level Security) error {
	value := byte(btSecurityMedium)
	switch level {
	case SecurityLow:
		value = btSecurityLow
	case SecurityHigh:
		value = btSecurityHigh
	}
	err := unix.SetsockoptString(fd, unix.SOL_BLUETOOTH, btSecurity, string([]byte{value, 0}))
	return os.NewSyscallError("setsockopt", err)
}

// closeFD closes a descriptor that never carried anything, on the way out with a better error than close(2) could give.
func closeFD(fd int) {
	_ = unix.Close(fd)
}

// sockaddr makes the kernel's address of a device or adapter and a port, the RFCOMM channel or the L2CAP PSM. Of the two
// types in x/sys one wants the bytes in the order of the radio.
func sockaddr(p protocol, address bdaddr.Address, port uint8) unix.Sockaddr {
	if p == protocolL2CAP {
		return &unix.SockaddrL2{Addr: address, PSM: uint16(port)}
	}
	return &unix.SockaddrRFCOMM{Addr: reverse(address), Channel: port}
}

// addrOf makes an Addr of the kernel's; false when it is of another family.
func addrOf(sa unix.Sockaddr) (Addr, bool) {
	rc, ok := sa.(*unix.SockaddrRFCOMM)
	if !ok {
		return Addr{}, false
	}
	return Addr{Address: reverse(rc.Addr), Channel: rc.Channel}, true
}

// localAddr asks for the address of this end.
func localAddr(fd int) (Addr, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return Addr{}, os.NewSyscallError("getsockname", err)
	}
	a, ok := addrOf(sa)
	if !ok {
		return Addr{}, os.NewSyscallError("getsockname", unix.EAFNOSUPPORT)
	}
	return a, nil
}

// reverse turns an address from the printed order to the radio's or back.
func reverse(a [6]byte) [6]byte {
	return [6]byte{a[5], a[4], a[3], a[2], a[1], a[0]}
}
