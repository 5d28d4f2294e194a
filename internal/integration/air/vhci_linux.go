package air

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// vhciPath is the kernel's device for controllers made of software
// (drivers/bluetooth/hci_vhci.c).
const vhciPath = "/dev/vhci"

// packetVendor marks the packets by which a program and the vhci driver speak
// with each other.
const packetVendor = 0xff

// vhci is an adapter in the kernel's eyes as long as it is open.
type vhci struct {
	*os.File
	index int
	early [][]byte // what the kernel sent before it named the adapter
}

// OpenVHCI plugs an adapter into the kernel and returns its other end, which
// carries one H4 packet in each Read and Write. Closing it pulls the adapter
// out. The error is an *os.PathError when /dev/vhci is not there (module
// hci_vhci) or not for this user (it takes root).
func OpenVHCI() (io.ReadWriteCloser, error) {
	// Non-blocking, so that Close wakes a Read.
	f, err := os.OpenFile(vhciPath, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	v := &vhci{File: f}
	if err := v.create(); err != nil {
		return nil, errors.Join(fmt.Errorf("air: create adapter: %w", err), f.Close())
	}
	return v, nil
}

// create makes the adapter and learns its index.
func (v *vhci) create() error {
	const primary = 0x00
	if _, err := v.Write([]byte{packetVendor, primary}); err != nil {
		return err
	}
	for {
		p := make([]byte, 2048)
		n, err := v.File.Read(p)
		if err != nil {
			return err
		}
		p = p[:n]
		if n == 4 && p[0] == packetVendor {
			v.index = int(p[2]) | int(p[3])<<8
			return nil
		}
		v.early = append(v.early, p)
	}
}

// Index returns n of the adapter's name hciN.
func (v *vhci) Index() int { return v.index }

// Read returns the kernel's next packet; p must have room for all of it.
func (v *vhci) Read(p []byte) (int, error) {
	if len(v.early) > 0 {
		n := copy(p, v.early[0])
		v.early = v.early[1:]
		return n, nil
	}
	return v.File.Read(p)
}

// Write gives the kernel a packet. It takes none from an adapter that it has
// switched off (hci_recv_frame, net/bluetooth/hci_core.c), and one that was on
// its way then is lost, as from a real one.
func (v *vhci) Write(p []byte) (int, error) {
	n, err := v.File.Write(p)
	if errors.Is(err, unix.ENXIO) {
		return len(p), nil
	}
	return n, err
}
