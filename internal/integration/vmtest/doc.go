// Package vmtest runs the powerspy command against a real Linux kernel and a
// real BlueZ, in a virtual machine that scripts/vm/test boots.
//
// Its tests carry the build tag integration and, but for those that run
// outside, are process 1's only child in a guest that is thrown away
// afterwards: they run as root, start and kill the system bus and bluetoothd,
// and change what an administrator would. They refuse to run anywhere else. The
// command itself runs as an ordinary user.
//
// A [Machine] is that guest: a bus, an air with an adapter of package air in
// it, bluetoothd. The tests of one guest share a Machine, and [Machine.Reset]
// gives each of them a user who has never measured and a meter that has never
// paired. A test's name says which guests it needs:
//
//   - TestIntegration...: depends on the kernel or BlueZ; runs on every release;
//   - TestIntegrationAlone...: may kill the kernel's RFCOMM, or needs another air:
//     has a guest for itself, of every release;
//   - TestCommand...: depends on the command alone; runs on one release;
//   - TestOutside...: runs on the machine itself, and starts a [Guest] of one
//     release beside it, which has other programs, and a clock of its own.
//
// Software emulation makes a guest some ten times slower than a machine. Tests
// therefore check times only where a timer of the kernel or of the command
// rules, not the processor.
package vmtest
