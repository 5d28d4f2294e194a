package otlp

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// path is where OTLP's metrics go.
const path = "/v1/metrics"

// ErrUserInfo says that an URL has a user or a password in it, which other users
// of the machine could see on the command line.
var ErrUserInfo = errors.New("a user or password does not belong into it")

// Wanted reports whether the environment asks for pushing: as the specification
// of OpenTelemetry's SDKs has it, OTEL_EXPORTER_OTLP_ENDPOINT or that of metrics is
// set, and nothing switches it off.
func Wanted(getenv func(string) string) bool {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	if e := getenv("OTEL_METRICS_EXPORTER"); e != "" && e != "otlp" {
		return false
	}
	return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") != ""
}

// CheckURL says what is wrong with an URL to push to.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		// Without the URL, which may have a password in it.
		return errors.New("it is no URL")
	case u.User != nil:
		return ErrUserInfo
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("it does not begin with http:// or https://")
	case u.Host == "":
		return errors.New("it has no host")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("it has more than a host and a path")
	}
	return nil
}

// endpoint returns the URL that is posted to; "" is what the environment says.
func endpoint(text string) (string, error) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := os.Getenv(name); p != "" {
			if p != "http/protobuf" {
				return "", fmt.Errorf("%s asks for %q, and only http/protobuf is spoken", name, p)
			}
			break // what is said of metrics counts
		}
	}
	if text == "" {
		return "", nil
	}
	if err := CheckURL(text); err != nil {
		return "", err
	}
	text = strings.TrimSuffix(text, "/")
	if !strings.HasSuffix(text, path) {
		text += path
	}
	return text, nil
}
