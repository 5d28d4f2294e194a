package rfcomm

import (
	"net"
	"strconv"

	"powerspy2/bdaddr"
)

// The channels that RFCOMM has (TS 07.10 server channels; net/bluetooth/rfcomm/core.c, rfcomm_dlc_open).
const (
	minChannel = 1
	maxChannel = 30
)

// network is what Addr.Network returns.
const network = "rfcomm"

var _ net.Addr = Addr{}

// An Addr is one end of an RFCOMM stream.
type Addr struct {
	// Address is the device's or the adapter's address.
	Address bdaddr.Address
	// Channel is the RFCOMM channel, 1 to 30; 0 where there is none yet.
	Channel uint8
}

// Network returns "rfcomm".
func (a Addr) Network() string { return network }

// String gives the address, a slash and the channel, 00:0B:CE:07:1D:32/1, or the address alone when the channel is 0.
func (a Addr) String() string {
	if a.Channel == 0 {
		return a.Address.String()
	}
	return a.Address.String() + "/" + strconv.Itoa(int(a.Channel))
}
