package main

import (
	"cmp"
	_ "embed" // of licenses
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"powerspy2/internal/cli"
)

// licenses are the notices of what is linked in, collected by
// scripts/licenses.sh.
//
//go:embed licenses.txt
var licenses string

// Set by those who build from an archive, where the go command knows neither:
//
//	go build -ldflags '-X main.version=v1.2.3 -X main.commit=0123abc'
var version, commit string

// versionText is the version of the module, its commit, and the version of Go.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return describeBuild(info, version, commit)
}

// toolVersion is the version and the commit, for what is stored.
func toolVersion() string {
	v, rest, _ := strings.Cut(versionText(), ", ")
	commit, _, _ := strings.Cut(rest, ", go")
	return v + ", " + commit
}

func describeBuild(info *debug.BuildInfo, version, commit string) string {
	version = cmp.Or(version, info.Main.Version, "(devel)")
	if commit == "" {
		modified := ""
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = ", modified"
			}
		}
		if commit != "" {
			commit = "commit " + commit[:min(12, len(commit))] + modified
		}
	} else {
		commit = "commit " + commit
	}
	return fmt.Sprintf("%s, %s, %s %s/%s", version, cmp.Or(commit, "unknown commit"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func (a *app) versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version, the commit and the version of Go",
		Description: `Examples:

    powerspy version
    powerspy version --licenses | less`,
		Flags: []*cli.Flag{{Name: "licenses", Usage: "print the notices of the licences of all that is linked in"}},
		Action: func(c *cli.Context) error {
			if c.Bool("licenses") {
				_, err := io.WriteString(a.env.stdout, licenses)
				return err
			}
			_, err := fmt.Fprintf(a.env.stdout, "powerspy %s\n", versionText())
			return err
		},
	}
}
