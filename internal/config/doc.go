// Package config keeps which meters this user has set up, in
// $XDG_CONFIG_HOME/powerspy/config.toml (~/.config when that is unset):
//
//	default = "bench"
//
//	[[meter]]
//	alias = "bench"
//	name = "PowerSpy 4567"
//	address = "00:0B:CE:07:1D:32"
//	adapter = "00:1A:7D:DA:71:13"
//	channel = 1
//
//	[meter.calibration]          # last agreed on
//	serial = 4567
//	voltage_scale = 0.08154758810997009
//	current_scale = 0.0005449772579595447
//	read = 2026-11-26T10:00:00Z
//
//	[meter.link."00:1A:7D:DA:71:13"] # what is known through this adapter
//	averaging = 1
//
// A meter that is not reached over Bluetooth has `device`, in the words of
// --device, in place of name, address, adapter and channel, and "direct" in
// place of the adapter's address. A PIN is never in it: BlueZ keeps the link key.
//
// People edit the file: a change leaves comments, order and keys that this
// version doesn't know as they are.
package config
