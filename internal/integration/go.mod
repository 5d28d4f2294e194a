module powerspy2/internal/integration

go 1.26.0

replace powerspy2 => ../..

require (
	github.com/godbus/dbus/v5 v5.2.4
	github.com/google/go-cmp v0.7.0
	golang.org/x/sys v0.49.0
	powerspy2 v0.0.0-00010101000000-000000000000
)

require (
	github.com/creack/pty v1.1.24 // indirect
	golang.org/x/term v0.47.0 // indirect
)
