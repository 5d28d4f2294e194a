// Package air is a Bluetooth BR/EDR controller made of software, with meters
// in range around it.
//
// It exists for tests. A [Controller] speaks HCI (Bluetooth Core Specification,
// volume 4) on /dev/vhci, where the Linux kernel takes it for an adapter, or on
// any other stream, where a test takes the kernel's place. A [Device] in its
// air is what a measuring instrument of 2012 is: Bluetooth 2.0, found by
// inquiry without its name, paired with a PIN (or by Secure Simple Pairing, for a
// later one), with one serial port on RFCOMM.
// Each channel that a host opens is joined to what [DeviceConfig].Dial returns.
//
// What goes wrong in a laboratory can be ordered: the device out of reach, its
// key forgotten, its link lost, its channel closed, silence, another host at
// the meter, a slow or missing name, an adapter that is pulled out or hangs.
// Every such fault is a method of Device or Controller and, by the same word,
// a line of text for [Controller.Exec].
//
// Radio is not simulated: no slots, no interference, no loss.
package air
