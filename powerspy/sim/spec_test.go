package sim

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseSpec(t *testing.T) {
	tests := []struct {
		spec string
		want func(c *Config)
	}{
		{"", func(*Config) {}},
		{Example, func(c *Config) {
			c.Load, c.Frequency, c.Drift, c.Link, c.Radio = LoadWave, 49.985, 20e-6, LinkB, regimes[LinkB]
		}},
		{"load=wave,freq=49.985,drift=20ppm,delay=8ms,jitter=12ms,stall=0.02,gen=1,serial=4567,seed=1", func(c *Config) {
			exponential(c)
			c.Load, c.Frequency, c.Drift, c.Stall = LoadWave, 49.985, 20e-6, 0.02
			c.Delay, c.Jitter, c.Generation, c.Serial, c.Seed = 8*time.Millisecond, 12*time.Millisecond, V1, 4567, 1
		}},
		{"delay=0,jitter=0s,stall=0,drift=0,seed=0", func(c *Config) {
			exponential(c)
			c.Delay, c.Jitter, c.Stall, c.Drift, c.Seed = 0, 0, 0, 0, 0
		}},
		{"watts=1200, low=0, period=1m30s, pf=1, volts=117, freq=60", func(c *Config) {
			c.Power, c.LowPower, c.LoadPeriod, c.PF, c.Voltage, c.Frequency = 1200, 0, 90*time.Second, 1, 117, 60
		}},
		{"stallmin=1s,stallmax=2s", func(c *Config) {
			exponential(c)
			c.StallMin, c.StallMax = time.Second, 2*time.Second
		}},
		{"jitter=2ms", func(c *Config) {
			exponential(c)
			c.Jitter = 2 * time.Millisecond
		}},
		{"link=exponential", exponential},
		{"delay=3ms,link=ideal", func(c *Config) {
			c.Link, c.Radio, c.Delay = LinkIdeal, Radio{}, 3*time.Millisecond
		}},
		{"held=0.2,queue=4,poll=20ms,link=b,stall=0.1", func(c *Config) {
			c.Link, c.Radio, c.Stall = LinkB, regimes[LinkB], 0.1
			c.Radio.Held, c.Radio.Queue, c.Radio.Poll = 0.2, 4, 20*time.Millisecond
		}},
		{"held=0", func(c *Config) { c.Radio.Held = 0 }},
		{"first=clean", func(c *Config) { c.First.Law = FirstClean }},
		{"first=6s/cleared/7", func(c *Config) { c.First = First{Law: FirstCleared, K: 7, After: 6 * time.Second} }},
		{"first=50", func(c *Config) { c.First.K = 50 }},
		{"skip=0.1x10,cap=10,fast=1.2,refuse-under=5,silent-under=2", func(c *Config) {
			c.Faults = Faults{Skip: 0.1, SkipRun: 10, Cap: 10, Fast: 1.2, RefuseUnder: 5, SilentUnder: 2}
		}},
		{"skip=4/5", func(c *Config) { c.Faults.SkipRun, c.Faults.SkipEvery = 4, 5 }},
		{"eol=none,dots,busy=replace", func(c *Config) { c.EOL, c.Dots, c.Busy = EOLNone, true, BusyReplace }},
		{"eol=crlf,dots=false,chop=true", func(c *Config) { c.EOL, c.Faults.Chop = "\r\n", true }},
		{"refuse=J,mute=?Q,garbage-answer=V,noise=0.05,chop", func(c *Config) {
			c.Faults = Faults{Refuse: "J", Mute: "?Q", Garbage: "V", Noise: 0.05, Chop: true}
		}},
		{"silence=15s/3s,drop=30s,hang=1m", func(c *Config) {
			c.Faults.SilenceAfter, c.Faults.SilenceFor = 15*time.Second, 3*time.Second
			c.Faults.DropAfter, c.Faults.HangAfter = 30*time.Second, time.Minute
		}},
		{"late=10s/3s,dead=1m/30s,away=0s/2m,skip=0.1,slow-connect=4s,battery=1m", func(c *Config) {
			c.Faults = Faults{
				Late: Span{10 * time.Second, 3 * time.Second}, Dead: Span{time.Minute, 30 * time.Second}, Away: Span{0, 2 * time.Minute},
				Skip: 0.1, SlowConnect: 4 * time.Second, Battery: time.Minute,
			}
		}},
		{"dead=5s,away=1m", func(c *Config) {
			c.Faults.Dead, c.Faults.Away = Span{After: 5 * time.Second}, Span{After: time.Minute}
		}},
		{"files=0/2047,logperiod=100,lose=0.02,loghang", func(c *Config) {
			c.Files, c.LogPeriod = []int{0, 2047}, 100
			c.Faults.Lose, c.Faults.LogHang = 0.02, true
		}},
		{"files=none", func(c *Config) { c.Files = nil }},
		{"silence=15s", func(c *Config) { c.Faults.SilenceAfter = 15 * time.Second }},
	}
	for _, tt := range tests {
		t.Run(tt.spec, func(t *testing.T) {
			got, err := ParseSpec(tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			want := DefaultConfig()
			tt.want(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("unexpected configuration (-want +got):\n%s", diff)
			}
			New(got) // Does not panic.
		})
	}
}

// exponential makes c the meter behind the exponential link.
func exponential(c *Config) {
	c.Link, c.Radio = LinkExponential, Radio{}
	c.Delay, c.Jitter, c.Stall = 8*time.Millisecond, 6*time.Millisecond, 0.002
}

func TestParseSpecError(t *testing.T) {
	tests := []struct{ spec, want string }{
		{"lod=wave", `unknown simulator parameter "lod": the parameters are gen, serial, `},
		{"lod=wave", "for example " + Example},
		{",", `unknown simulator parameter ""`},
		{"load=wave,", `unknown simulator parameter ""`},
		{"load", "load needs a value: load=SHAPE"},
		{"load=", "load needs a value"},
		{"load=square", `load "square" is not one of constant, step, wave, server, inrush, zero`},
		{"gen=3", `gen: "3" is not a whole number from 1 to 2`},
		{"serial=0", `serial: "0" is not`},
		{"serial=65536", "from 1 to 65535"},
		{"seed=-1", `seed: "-1"`},
		{"watts=0", `watts: "0" is not above 0`},
		{"watts=NaN", "not above 0"},
		{"watts=1e9", "outside -3500 to 3500"},
		{"low=x", `low: "x" is not a number`},
		{"freq=400", "400 Hz is outside 40 to 70"},
		{"drift=20%", `drift: "20%" is not a number`},
		{"drift=1000000ppm", "outside 0 to 0.01"},
		{"drift=NaN", "outside 0 to 0.01"},
		{"delay=8", `delay: "8" is not a duration such as 8ms`},
		{"jitter=-1ms", "jitter: "},
		{"stall=2", "not a probability"},
		{"stallmin=1s", "longest stall 600ms is below the shortest, 1s"},
		{"period=0s", "period of 0"},
		{"period=1ns", "below 10ms"},
		{"pf=1.1", "power factor 1.1"},
		{"volts=1000", "voltage 1000 V"},
		{"eol=cr", `eol: "cr" is not one of`},
		{"busy=maybe", `busy "maybe" is not one of`},
		{"dots=maybe", `dots: "maybe"`},
		{"refuse=5", `refuse: '5' is not a command`},
		{"mute=j", `mute: 'j' is not a command`},
		{"garbage-answer=K", "garbage-answer: 'K' is not a command"},
		{"noise=1.5", "noise 1.5"},
		{"noise=NaN", "noise NaN"},
		{"silence=0s", `silence: "0s" is not above 0`},
		{"silence=1s/", `silence: "" is not a duration`},
		{"drop=never", `drop: "never"`},
		{"hang=-1s", `hang: "-1s"`},
		{"garbage=V", `unknown simulator parameter "garbage"`},
		{"skip=2", "skip 2 is not a fraction"},
		{"skip=x", `skip: "x" is not a number`},
		{"late=3s", `late: "3s" has no /FOR`},
		{"late=3s/0s", `late: "0s" is not above 0`},
		{"late=/3s", `late: "" is not a duration`},
		{"dead=0s", `dead: "0s" is not above 0`},
		{"dead=1s/", `dead: "" is not a duration`},
		{"away=-1s/2s", `away: "-1s"`},
		{"slow-connect=", "slow-connect needs a value: slow-connect=DURATION"},
		{"slow-connect=long", `slow-connect: "long"`},
		{"battery=0s", `battery: "0s" is not above 0`},
		{"battery=3s", "battery of a fault every 3s is below 4s"},
		{"dead=1s/100000h", "is never"},
		{"files=1/x", `files: "x" is not a whole number from 0 to 8388608`},
		{"files=8388608/1", "larger than the card"},
		{"logperiod=5001", "from 0 to 5000"},
		{"lose=2", "lose 2 is not a fraction"},
		{"gen=1,gen=2", "gen is given twice"},
		{"link=d", `link "d" is not one of a, b, c, ideal, exponential`},
		{"link=ideal,jitter=1ms", "link ideal has neither jitter nor stalls"},
		{"delay=1ms,held=0.1", "link exponential has no radio"},
		{"held=2", "share 2 of the radio"},
		{"held=NaN", "share NaN of the radio"},
		{"poll=0s", "every 1ms to 1m, not every 0s"},
		{"queue=-1", `queue: "-1" is not`},
		{"first=dirty", `first: "dirty" is not one of clean, runs-on, cleared, a number from 1 to 50`},
		{"first=51", `first: "51" is not one of`},
		{"first=-6s", `first: "-6s" is not one of`},
		{"skip=5/5", `skip: "5/5" is not such as 4/5`},
		{"skip=0/5", `skip: "0/5" is not such as 4/5`},
		{"skip=x/5", `skip: "x/5" is not such as 4/5`},
		{"skip=0.1x0", `skip: "0" is not a whole number`},
		{"skip=NaN", "skip NaN is not a fraction"},
		{"cap=0", `cap: "0" is not above 0`},
		{"cap=NaN", `cap: "NaN" is not above 0`},
		{"cap=1e9", "cap of 1e+09 frames"},
		{"fast=100", "fast 100 is outside"},
		{"refuse-under=0", "from 1 to 65535"},
		{"silent-under=x", "from 1 to 65535"},
	}
	for _, tt := range tests {
		t.Run(tt.spec, func(t *testing.T) {
			_, err := ParseSpec(tt.spec)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	seen := make(map[string]bool)
	for _, k := range Keys() {
		if k.Name == "" || k.Description == "" || seen[k.Name] {
			t.Errorf("got %q: %q", k.Name, k.Description)
		}
		seen[k.Name] = true
	}
}

func TestNewPanics(t *testing.T) {
	defer func() {
		if got := recover(); got != "sim: generation 9 is neither 1 nor 2" {
			t.Errorf("recovered %v", got)
		}
	}()
	New(Config{Generation: 9})
}

// Counts follow the factory's scales when the current ones are none.
func TestInsaneCalibration(t *testing.T) {
	m := New(Config{Current: Calibration{Voltage: -1, Current: 1}})
	if m.scale != factoryCalibration {
		t.Errorf("got %+v", m.scale)
	}
	if err := (Config{Current: Calibration{Voltage: -1}, Factory: Calibration{Voltage: 1}}).Validate(); err == nil {
		t.Error("a meter without any scale passes")
	}
}

// The page on the simulator has every key, and its examples work.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range Keys() {
		if !strings.Contains(string(page), "`"+k.Name+"`") {
			t.Errorf("%s is missing", k.Name)
		}
	}
	t.Chdir(t.TempDir()) // Where the page's recording is.
	if err := os.WriteFile("old.log", []byte("Timestamp;Power\n1409400000;1.7\n1409400001;1.8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	writeField(t, "field.json", fieldTest())
	for _, name := range []string{"PATH", "watts"} {
		writeWatts(t, name, "50")
	}
	examples := regexp.MustCompile(`sim:[^\s`+"`"+`]*`).FindAllString(string(page), -1)
	for _, e := range examples {
		if _, err := ParseSpec(strings.TrimPrefix(e, "sim:")); err != nil {
			t.Errorf("%s: %v", e, err)
		}
	}
	if len(examples) < len(Keys()) {
		t.Errorf("only %d examples", len(examples))
	}
}

// Whatever is accepted makes a meter whose faults can be asked for.
func FuzzParseSpec(f *testing.F) {
	for _, spec := range []string{
		"", Example, "link=c,held=0.5,queue=0,poll=1s", "first=cleared/7/6s,skip=4/5,cap=10,fast=1.2", "skip=0.1x10,silent-under=5", "silence=15s/3s,drop=30s,hang=1m", "late=10s/3s,dead=1m/30s,away=0s/2m",
		"skip=0.1,slow-connect=4s,battery=1m", "refuse=J,mute=?Q,garbage-answer=V,noise=0.05,chop",
	} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		if strings.Contains(spec, replayKey) || strings.Contains(spec, fieldKey) {
			return // No file is read.
		}
		cfg, err := ParseSpec(spec)
		if err != nil {
			return
		}
		m := New(cfg)
		for s := range m.spells(0, 10*cfg.Faults.Battery) {
			if s.from < 0 || s.to < s.from {
				t.Errorf("%s from %v to %v", s.fault, s.from, s.to)
			}
		}
	})
}
