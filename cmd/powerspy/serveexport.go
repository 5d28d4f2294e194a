package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"powerspy2/internal/cli"
	"powerspy2/internal/serve"
	"powerspy2/internal/serve/metrics"
	"powerspy2/internal/serve/mqtt"
	"powerspy2/internal/serve/otlp"
	"powerspy2/internal/serve/totals"
	"powerspy2/measure"
	"powerspy2/meter"
	"powerspy2/record"
)

const (
	otlpFlag             = "otlp"
	mqttFlag             = "mqtt"
	mqttIntervalFlag     = "mqtt-interval"
	mqttPasswordFileFlag = "mqtt-password-file"
	mqttPasswordVariable = "POWERSPY_MQTT_PASSWORD"
	mqttCAFlag           = "mqtt-ca-file"

	pushing = "Pushing" // category
)

// exportFlags are those of what pushes readings to other programs.
func exportFlags() []*cli.Flag {
	return []*cli.Flag{
		{Name: otlpFlag, Category: pushing, Takes: cli.Text{}, Usage: "push to the OpenTelemetry collector at `URL`, such as http://localhost:4318 (also OTEL_EXPORTER_OTLP_ENDPOINT and its kin)"},
		{Name: mqttFlag, Category: pushing, Takes: cli.Text{}, Usage: "publish to the MQTT broker at `URL`: mqtt://[USER@]HOST[:PORT], or mqtts:// with TLS"},
		{Name: mqttIntervalFlag, Category: pushing, Takes: cli.Duration{Examples: "1s, 10s, 1m"}, Default: "1s", Usage: "a reading for MQTT every `TIME`"},
		{Name: mqttPasswordFileFlag, Category: pushing, Takes: cli.File{}, Usage: "read the password for the broker from `FILE` (else " + mqttPasswordVariable + ")"},
		{Name: mqttCAFlag, Category: pushing, Takes: cli.File{}, Usage: "the broker's certificate is from an authority in `FILE` (PEM)"},
	}
}

// exporters tell other programs of the meters that are served: Prometheus, which
// asks, and those that are pushed to.
type exporters struct {
	tool    string
	tell    func(string)
	alias   map[string]string // of meters that have one, by the name that they are served under
	meters  []totals.Meter
	mqtt    *mqtt.Publisher // nil: no broker
	useOTLP bool
	otlp    string // URL; "": what the environment says
}

// exporters returns what the command line and the environment ask for, of these
// meters.
func (s *serving) exporters(c *cli.Context, meters []serve.MeterConfig) (*exporters, error) {
	x := &exporters{tool: toolVersion(), tell: func(text string) { s.progress.Line("%s", text) }, alias: make(map[string]string)}
	for _, m := range meters {
		x.alias[m.Name] = s.alias(m.Target)
	}
	x.otlp, x.useOTLP = c.String(otlpFlag), c.IsSet(otlpFlag) || otlp.Wanted(s.env.getenv)
	if c.IsSet(otlpFlag) {
		if err := otlp.CheckURL(x.otlp); err != nil {
			// Without the URL, which may have a password in it.
			err = c.Usagef("--%s: %w", otlpFlag, err)
			if errors.Is(err, otlp.ErrUserInfo) {
				err = advise(err, "give it in $OTEL_EXPORTER_OTLP_HEADERS, such as Authorization=Basic%20...")
			}
			return nil, err
		}
	}
	if !c.IsSet(mqttFlag) {
		for _, f := range []string{mqttIntervalFlag, mqttPasswordFileFlag, mqttCAFlag} {
			if c.IsTyped(f) {
				return nil, c.Usagef("--%s is of no use without --%s", f, mqttFlag)
			}
		}
		return x, nil
	}
	u, err := mqtt.ParseURL(c.String(mqttFlag))
	if err != nil {
		err = c.Usagef("--%s: %w", mqttFlag, err)
		if errors.Is(err, mqtt.ErrPassword) {
			err = advise(err, "give it by --"+mqttPasswordFileFlag+" FILE or $"+mqttPasswordVariable)
		}
		return nil, err
	}
	cfg := mqtt.Config{URL: u, Version: x.tool, Tell: x.tell}
	if c.IsSet(mqttIntervalFlag) {
		cfg.Interval = c.Duration(mqttIntervalFlag)
		if err := meter.CheckInterval(cfg.Interval); err != nil {
			return nil, err
		}
	}
	cfg.Password = s.env.getenv(mqttPasswordVariable)
	if c.IsSet(mqttPasswordFileFlag) {
		name := c.String(mqttPasswordFileFlag)
		if cfg.Password, err = s.firstLine(name, "password"); err != nil {
			return nil, c.Usagef("--%s %s: %w", mqttPasswordFileFlag, name, err)
		}
	}
	if c.IsSet(mqttCAFlag) {
		name := c.String(mqttCAFlag)
		if cfg.CAs, err = authorities(name); err != nil {
			return nil, c.Usagef("--%s %s: %w", mqttCAFlag, name, cause(err))
		}
	}
	x.mqtt = mqtt.New(cfg)
	return x, nil
}

// sinks returns what takes the events of a meter.
func (x *exporters) sinks(m *serve.Meter) []measure.Sink {
	t := totals.Meter{Name: m.Name(), Totals: totals.New(), Identity: func() totals.Identity {
		h, _, known := m.Header()
		return identity(&h.Meter, x.alias[m.Name()], known)
	}}
	x.meters = append(x.meters, t)
	sinks := []measure.Sink{t.Totals}
	if x.mqtt != nil {
		sinks = append(sinks, x.mqtt.Sink(t))
	}
	return sinks
}

// identity returns what is known of a meter, in the words of `powerspy info`.
func identity(m *record.Meter, alias string, known bool) totals.Identity {
	id := totals.Identity{Alias: alias}
	if !m.Address.IsZero() {
		id.Address = m.Address.String()
	}
	if known {
		id.Serial, id.Firmware, id.Hardware = fmt.Sprint(m.Serial), fmt.Sprintf("0x%02x", m.Firmware), fmt.Sprintf("0x%02x", m.Hardware)
	}
	return id
}

// handlers answer requests of scrapers.
func (x *exporters) handlers() map[string]http.Handler {
	return map[string]http.Handler{"GET /metrics": metrics.Handler(func() []totals.Meter { return x.meters })}
}

// during pushes while serve serves, and ends when ctx does, beside serve.
func (x *exporters) during(ctx context.Context, serve func(context.Context) error) error {
	var ending sync.WaitGroup
	defer ending.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	atEnd := func(stop func(context.Context)) {
		ending.Go(func() {
			<-ctx.Done()
			last, done := context.WithTimeout(context.WithoutCancel(ctx), lastPush)
			defer done()
			stop(last)
		})
	}
	if x.useOTLP {
		p, err := otlp.Start(ctx, otlp.Config{URL: x.otlp, Version: x.tool, Meters: func() []totals.Meter { return x.meters }, Tell: x.tell})
		if err != nil {
			return fmt.Errorf("push to OpenTelemetry: %w", err)
		}
		// What fails at the end was told before, or is nothing to act on.
		atEnd(func(ctx context.Context) { _ = p.Stop(ctx) })
	}
	if x.mqtt != nil {
		if err := x.mqtt.Start(); err != nil {
			return fmt.Errorf("publish by MQTT: %w", err)
		}
		atEnd(x.mqtt.Stop)
	}
	return serve(ctx)
}

// lastPush bounds pushing what came last.
const lastPush = time.Second
