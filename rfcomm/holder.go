package rfcomm

// A Holder is a process that has RFCOMM sockets open, as far as the kernel
// shows it to this user.
type Holder struct {
	// UID is the user to whom the sockets belong: the one whose process made
	// them, which is root for a link that bluetoothd opened for somebody else.
	UID uint32
	// PID is the process; 0 for other users' processes, whose open files this
	// user can't see.
	PID int
	// Name is the short name of the process; empty with PID 0.
	Name string
}

// Holders lists who has RFCOMM sockets open on this machine, but for this
// process: processes that can be named first, then other users, root last. It
// answers who may be behind ErrBusy. The kernel does not show ordinary users
// to which device a socket belongs, nor whether it only listens.
//
// It reads /proc/net/rfcomm (net/bluetooth/af_bluetooth.c, bt_seq_show) and
// the file descriptors in /proc.
func Holders() ([]Holder, error) { return holders() }
