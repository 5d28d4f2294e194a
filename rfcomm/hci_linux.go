package rfcomm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"powerspy2/bdaddr"
)

// What golang.org/x/sys/unix does not name (include/net/bluetooth/hci_sock.h). The ioctl numbers are _IOR('H', n, int);
// the part that depends on the processor is taken from TIOCGPTN, _IOR('T', 0x30, unsigned int).
const (
	hciFilter      = 2 // HCI_FILTER, level SOL_HCI
	iorInt         = unix.TIOCGPTN &^ 0xffff
	hciGetDevList  = iorInt | 'H'<<8 | 210
	hciGetDevInfo  = iorInt | 'H'<<8 | 211
	hciGetConnInfo = iorInt | 'H'<<8 | 213

	hciMaxDev   = 16 // HCI_MAX_DEV
	hciUp       = 0  // HCI_UP, a bit of an adapter's flags
	hciRaw      = 8  // HCI_RAW, likewise: the kernel does not drive the adapter
	hciPrimary  = 0  // HCI_PRIMARY, an adapter proper, in bits 4 and 5 of an adapter's type
	aclLink     = 1  // ACL_LINK
	btConnected = 1  // BT_CONNECTED, the state of a link that is up
)

// An adapter is one of this machine's Bluetooth adapters.
type adapter struct {
	dev     uint16 // the N of hciN
	address bdaddr.Address
	up      bool
}

// The kernel's structures of the ioctls below, in its layout.
type (
	hciDevReq struct { // struct hci_dev_req
		dev uint16
		_   uint16
		opt uint32
	}
	hciDevListReq struct { // struct hci_dev_list_req
		num uint16
		_   uint16
		dev [hciMaxDev]hciDevReq
	}
	hciDevInfo struct { // struct hci_dev_info
		dev      uint16
		name     [8]byte
		address  [6]byte
		flags    uint32
		kind     uint8
		features [8]byte
		_        [3]byte
		pktType  uint32
		policy   uint32
		mode     uint32
		mtu      [4]uint16
		stat     [10]uint32
	}
	hciConnInfo struct { // struct hci_conn_info_req and the struct hci_conn_info behind it
		wanted   [6]byte
		wantType uint8
		_        uint8
		handle   uint16
		address  [6]byte
		kind     uint8
		out      uint8
		state    uint16
		mode     uint32
	}
)

// hciSocket makes a raw HCI socket, bound to nothing yet.
func hciSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_BLUETOOTH, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.BTPROTO_HCI)
	return fd, os.NewSyscallError("socket", err)
}

func hciIoctl(fd int, request uint, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg))
	if errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}

// adapters lists the adapters (net/bluetooth/hci_core.c, hci_get_dev_list, hci_get_dev_info; no rights needed). The
// kernel lists them in the order in which hci_get_route looks for one to connect with.
func adapters() ([]adapter, error) {
	fd, err := hciSocket()
	if err != nil {
		return nil, err
	}
	defer closeFD(fd)
	list := hciDevListReq{num: hciMaxDev}
	if err := hciIoctl(fd, hciGetDevList, unsafe.Pointer(&list)); err != nil {
		return nil, err
	}
	var found []adapter
	for _, d := range list.dev[:min(int(list.num), hciMaxDev)] {
		info := hciDevInfo{dev: d.dev}
		if err := hciIoctl(fd, hciGetDevInfo, unsafe.Pointer(&info)); errors.Is(err, unix.ENODEV) {
			continue // unplugged meanwhile
		} else if err != nil {
			return nil, err
		}
		if info.kind>>4&3 != hciPrimary || info.flags&(1<<hciRaw) != 0 {
			continue
		}
		found = append(found, adapter{
			dev:     d.dev,
			address: reverse(info.address),
			up:      info.flags&(1<<hciUp) != 0,
		})
	}
	return found, nil
}

// linkUp reports whether the adapter has an established ACL link to the device (net/bluetooth/hci_conn.c,
// hci_get_conn_info; no rights needed). A link that is being set up or torn down is not up.
func linkUp(a adapter, remote bdaddr.Address) (bool, error) {
	fd, err := hciSocket()
	if err != nil {
		return false, err
	}
	defer closeFD(fd)
	if err := unix.Bind(fd, &unix.SockaddrHCI{Dev: a.dev, Channel: unix.HCI_CHANNEL_RAW}); err != nil {
		return false, os.NewSyscallError("bind", err)
	}
	info := hciConnInfo{wanted: reverse(remote), wantType: aclLink}
	err = hciIoctl(fd, hciGetConnInfo, unsafe.Pointer(&info))
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil && info.state == btConnected, err
}

// openHCI makes a raw HCI socket of an adapter that receives the events about remote name requests.
func openHCI(a adapter) (int, error) {
	fd, err := hciSocket()
	if err != nil {
		return -1, err
	}
	// Be sure to close fd on every error from here on.
	if err := unix.Bind(fd, &unix.SockaddrHCI{Dev: a.dev, Channel: unix.HCI_CHANNEL_RAW}); err != nil {
		closeFD(fd)
		return -1, os.NewSyscallError("bind", err)
	}
	// struct hci_filter: type mask, event mask, and the opcode that command status events must carry. The kernel lets
	// everybody send this command and receive these events (net/bluetooth/hci_sock.c, hci_sec_filter).
	filter := make([]byte, 16)
	binary.NativeEndian.PutUint32(filter[0:], 1<<packetEvent)
	binary.NativeEndian.PutUint32(filter[4:], 1<<eventRemoteName|1<<eventCommandStatus)
	binary.LittleEndian.PutUint16(filter[12:], commandRemoteName)
	if err := unix.SetsockoptString(fd, unix.SOL_HCI, hciFilter, string(filter)); err != nil {
		closeFD(fd)
		return -1, os.NewSyscallError("setsockopt", err)
	}
	return fd, nil
}

// The HCI packets that a presence test exchanges (Core Specification, volume 4, part E, sections 5.4, 7.1.19, 7.1.20,
// 7.7.7 and 7.7.15).
const (
	packetCommand = 0x01
	packetEvent   = 0x04

	commandRemoteName       = 0x0419
	commandRemoteNameCancel = 0x041a

	eventRemoteName    = 0x07
	eventCommandStatus = 0x0f

	maxPacket = 3 + 255 // an event with all its parameters
)

// appendRemoteName appends the command that asks a device for its name.
func appendRemoteName(b []byte, remote bdaddr.Address) []byte {
	b = appendCommand(b, commandRemoteName, 10)
	b = appendAddress(b, remote)
	// Page scan repetition mode R2, the slowest, as nothing is known; reserved; clock offset unknown.
	return append(b, 0x02, 0x00, 0x00, 0x00)
}

// appendRemoteNameCancel appends the command that ends such a request.
func appendRemoteNameCancel(b []byte, remote bdaddr.Address) []byte {
	return appendAddress(appendCommand(b, commandRemoteNameCancel, 6), remote)
}

func appendCommand(b []byte, opcode uint16, length uint8) []byte {
	b = binary.LittleEndian.AppendUint16(append(b, packetCommand), opcode)
	return append(b, length)
}

func appendAddress(b []byte, a bdaddr.Address) []byte {
	r := reverse(a)
	return append(b, r[:]...)
}

// A hciStatus is the error code of a controller (Core Specification, volume 1, part F).
type hciStatus uint8

// The codes that are treated apart.
const (
	statusPageTimeout   hciStatus = 0x04
	statusDisallowed    hciStatus = 0x0c
	statusLimited       hciStatus = 0x0d
	statusSecurity      hciStatus = 0x0e
	statusUnacceptable  hciStatus = 0x0f
	statusAcceptTimeout hciStatus = 0x10
)

// Error implements error.
func (s hciStatus) Error() string {
	switch s {
	case statusPageTimeout:
		return "page timeout"
	case statusDisallowed:
		return "the adapter is busy with something else"
	case statusLimited:
		return "the device is busy with another host"
	}
	return fmt.Sprintf("controller status 0x%02x", uint8(s))
}

// Unwrap gives the errno that the kernel makes of the code (net/bluetooth/lib.c, bt_to_errno), so that a presence test
// and a connect fail alike.
func (s hciStatus) Unwrap() error {
	switch s {
	case statusPageTimeout:
		return unix.EHOSTDOWN
	case 0x05:
		return unix.EACCES
	case 0x06:
		return unix.EBADE
	case 0x08, statusAcceptTimeout:
		return unix.ETIMEDOUT
	case statusDisallowed:
		return unix.EBUSY
	case statusLimited, statusSecurity, statusUnacceptable:
		return unix.ECONNREFUSED
	case 0x13, 0x14, 0x15:
		return unix.ECONNRESET
	case 0x16:
		return unix.ECONNABORTED
	}
	return unix.ENOSYS
}
