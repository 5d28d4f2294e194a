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
// A meter that is not reached over Bluetooth has `device`, in the words of
// --device, in place of name, address, adapter and channel. What is learnt of
// meters is elsewhere, in a cache. A PIN is never in it: BlueZ keeps the link key.
//
// People edit the file: a change leaves comments, order and keys that this
// version doesn't know as they are.
package config
