package main

import "powerspy2/internal/cli"

// manSections end the man page.
var manSections = []cli.Topic{
	{Name: "files", Text: func() string {
		return `    $XDG_CONFIG_HOME/powerspy/config.toml (~/.config/powerspy/config.toml)

The meters that were set up: see powerspy meters. It may be edited;
docs/configuration.md describes it.

    $XDG_RUNTIME_DIR/powerspy/ (/run/user/UID/powerspy/)

Locks, which keep a second command from disturbing a measurement, the device of
powerspy bridge, and the socket of powerspy serve. A user without a runtime
directory has them in the directory for temporary files, as powerspy-UID.

    $XDG_CACHE_HOME/powerspy/meters.json (~/.cache/powerspy/meters.json)

Serial numbers and calibrations of the meters that were used last, which make the
next start shorter. It may be deleted at any time.

    $XDG_STATE_HOME/powerspy/ (~/.local/state/powerspy/)

Backups of powerspy eeprom, and the readings of the service.`
	}},
	{Name: "environment", Text: func() string {
		return `    POWERSPY_DEVICE   the meter, as --device; empty is the same as not set
    POWERSPY_PIN      the meter's PIN, as --pin, which other users can't see here
    POWERSPY_PASSWORD the password of a server, unless --password-file names one
    POWERSPY_MQTT_PASSWORD
                      the password of the broker of powerspy serve --mqtt
    POWERSPY_MARKS    in a command of powerspy run: the pipe for its marks
    NETRC             logins at servers (default: ~/.netrc)
    NO_COLOR          not empty: powerspy watch and bench write without colours
    OTEL_EXPORTER_OTLP_ENDPOINT
                      where powerspy serve pushes to, as --otlp; others of its kind
                      are in docs/exporters.md
    RUNTIME_DIRECTORY of a service: where powerspy serve has its socket
    XDG_CACHE_HOME    see FILES
    XDG_CONFIG_HOME   see FILES
    XDG_RUNTIME_DIR   see FILES
    XDG_STATE_HOME    see FILES
    TZ                the time zone of local times`
	}},
	{Name: "see also", Text: func() string {
		return `bluetoothctl(1), bluetoothd(8), systemd.service(5), logrotate(8), rfkill(8)

docs/README.md lists the pages of this project.`
	}},
}
