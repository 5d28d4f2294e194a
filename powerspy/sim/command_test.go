package sim

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The answers that the protocol's description gives literally.
func TestVectors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := dial(t, New(Config{Generation: V1, Serial: 1}))
		defer c.close()
		for _, r := range []struct{ request, answer string }{
			{"<?>", "<POWERSPYR01FF35020001>"},
			{"<F>", "<F4E20>"},
			// Uscale and Iscale in force.
			{"<V0E>", "<6C>"}, {"<V0F>", "<02>"}, {"<V10>", "<A7>"}, {"<V11>", "<3D>"},
			{"<V12>", "<CE>"}, {"<V13>", "<DC>"}, {"<V14>", "<0E>"}, {"<V15>", "<3A>"},
			// 2012-08-30.
			{"<V16>", "<DC>"}, {"<V17>", "<07>"}, {"<V18>", "<08>"}, {"<V19>", "<1E>"},
			{"<V00>", "<01>"}, {"<V01>", "<00>"},
			// A capture of two periods, completed.
			{"<L02>", "<K>"}, {"<S>", ""}, {"<?>", "<POWERSPYC01FF35020001>"},
		} {
			c.want(r.request, r.answer)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := dial(t, New(Config{Generation: V2}))
		defer c.close()
		c.want("<F>", "<F6C00>")
		// 2012-08-30 16:22:33 and 2012-08-31 16:22:00.
		c.want("<E0C081E101621>", "<K>")
		c.want("<G>", "<0C081E101621>")
		c.want("<E0C081F101600>", "<K>")
		c.want("<G>", "<0C081F101600>")
	})
}

func TestAppendFrameVector(t *testing.T) {
	got := appendFrame(nil, Truth{
		Voltage: 230.702292, Current: 0.783166072, Power: 171.140440,
		VoltagePeak: 326.924281, CurrentPeak: 1.493782664, Factor: 1,
	}, currentCalibration)
	if want := "<007A1FCA 001F82FB 003AC29C 0FA9 0AB5>"; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got = appendFrame(nil, Truth{Power: -0.05, VoltagePeak: 1e9, Voltage: 1e9, Factor: 1}, currentCalibration)
	if want := "<FFFFFFFF 00000000 FFFFFB9B FFFF 0000>"; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCommands(t *testing.T) {
	tests := []struct {
		name    string
		gens    []Generation
		request string
		answer  string
	}{
		{"length", []Generation{V1, V2}, "<L64>", "<K>"},
		{"length 0", []Generation{V1, V2}, "<L00>", "<Z>"},
		{"length 101", []Generation{V1, V2}, "<L65>", "<Z>"},
		{"length of one digit", []Generation{V1, V2}, "<L6>", "<Z>"},
		{"trigger", []Generation{V1, V2}, "<T0110" + strings.Repeat("0001", 8) + ">", "<K>"},
		{"trigger too short", []Generation{V1, V2}, "<T0110>", "<Z>"},
		{"trigger neither on nor off", []Generation{V1, V2}, "<T0210" + strings.Repeat("0", 32) + ">", "<Z>"},
		{"write", []Generation{V1, V2}, "<W1A32>", "<K>"},
		{"write too short", []Generation{V1, V2}, "<W1A>", "<Z>"},
		{"read erased", []Generation{V1, V2}, "<VFF>", "<FF>"},
		{"read without address", []Generation{V1, V2}, "<V>", "<Z>"},
		{"start", []Generation{V2}, "<S>", "<K>"},
		{"start", []Generation{V1}, "<S>", ""},
		{"cancel", []Generation{V1, V2}, "<C>", "<Z>"},
		{"reset", []Generation{V1}, "<R>", ""},
		{"reset", []Generation{V2}, "<R>", "<Z>"},
		{"realtime", []Generation{V1}, "<J64>", "<K>"},
		{"realtime", []Generation{V2}, "<JFFFF>", "<K>"},
		{"realtime 0", []Generation{V1}, "<J00>", "<Z>"},
		{"realtime 0", []Generation{V2}, "<J0000>", "<Z>"},
		{"realtime 101", []Generation{V1}, "<J65>", "<Z>"},
		{"realtime of the other generation", []Generation{V1}, "<J0001>", "<Z>"},
		{"realtime of the other generation", []Generation{V2}, "<J01>", "<Z>"},
		{"stop what does not run", []Generation{V1, V2}, "<Q>", "<Z>"},
		{"lower case digits", []Generation{V1, V2}, "<V0e>", "<Z>"},
		{"space", []Generation{V1, V2}, "<V 0E>", "<Z>"},
		{"nothing", []Generation{V1, V2}, "<>", "<Z>"},
		{"unknown letter", []Generation{V1, V2}, "<D>", "<Z>"},
		{"too long", []Generation{V1, V2}, "<?" + strings.Repeat("0", 5000) + ">", "<Z>"},
		{"started again", []Generation{V1, V2}, "<V0<V0E>", "<6C>"},
		{"garbage before", []Generation{V1, V2}, "\r\nAT>Z\x00\xff\n<V0E>", "<6C>"},
		{"clock", []Generation{V1}, "<G>", "<Z>"},
		{"capture buffer", []Generation{V1, V2}, "<A>", "<Z>"},
		{"files", []Generation{V1}, "<U>", "<Z>"},
	}
	for _, tt := range tests {
		for _, gen := range tt.gens {
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := New(Config{Generation: gen})
					c := dial(t, m)
					defer c.close()
					c.want(tt.request, tt.answer)
				})
			})
		}
	}
}

func TestEEPROMWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{})
		c := dial(t, m)
		defer c.close()
		c.want("<W1A32>", "<K>")
		c.want("<V1A>", "<32>")
		if got := m.EEPROM()[0x1a]; got != 0x32 {
			t.Errorf("got %#x", got)
		}
		e := m.EEPROM()
		e[0x00] = 0x78
		m.SetEEPROM(e)
		c.want("<?>", "<POWERSPYR01FF35031178>")
	})
}

// A capture waits for its trigger, fills its buffer and can be cancelled; V1
// forgets it on R.
func TestCaptureStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The load is 20 W for 5 s, then 200 W.
		m := New(Config{Generation: V1, Load: LoadStep, LowPower: 20, Power: 200, Serial: 1})
		c := dial(t, m)
		defer c.close()
		c.want("<L32>", "<K>")
		// 0.5 A is 917 counts of the current scale: bit 6.
		c.want("<T0100"+"0000"+"0395"+strings.Repeat("0000", 6)+">", "<K>")
		c.want("<?>", "<POWERSPYR01BF35020001>")
		c.want("<S>", "") // At 0 s, takes 1 s.
		c.want("<?>", "<POWERSPYW01BF35020001>")
		time.Sleep(4500 * time.Millisecond)
		c.want("<?>", "<POWERSPYA01FF35020001>") // At 5.5 s.
		time.Sleep(time.Second)
		c.want("<?>", "<POWERSPYC01FF35020001>")
		c.want("<C>", "<Z>")
		c.want("<?>", "<POWERSPYR01FF35020001>")
		c.want("<S>", "")
		time.Sleep(3 * time.Second) // At 10.5 s the load is small again.
		c.want("<?>", "<POWERSPYC01BF35020001>")
		c.want("<R>", "")
		c.want("<?>", "<POWERSPYR01FF35020001>")
		c.want("<S>", "")
		c.want("<J64>", "<K>") // Ends the capture.
		c.want("<Q>", "<K>")
		c.want("<?>", "<POWERSPYR01FF35020001>")
	})
}

// Resetting a first generation meter ends its real-time mode.
func TestResetStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Generation: V1})
		c := dial(t, m)
		defer c.close()
		c.want("<J0A>", "<K>")
		if got, _ := c.frame(time.Second); !measurement(got) {
			t.Errorf("got %q, want a measurement", got)
		}
		if got := c.ask("<R>"); got != "" {
			t.Errorf("got %q after reset", got)
		}
		c.want("<?>", "<POWERSPYR01FF350211D7>")
	})
}

func TestDotsAndEOL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := dial(t, New(Config{Dots: true, EOL: EOLNone}))
		defer c.close()
		c.want("<J0064>", "<K>")
		c.want("<Q>", "<K.>")
		c.want("<Q>", "<Z.>")
		if len(c.rest) != 0 {
			t.Errorf("%q after the frame", c.rest)
		}
	})
}

// Whatever a client sends, the meter gives at most one answer to each closing
// bracket, each of them well-formed or a block of a file, and still answers
// afterwards.
func FuzzRequests(f *testing.F) {
	for _, seed := range []string{
		"<?>", "<L64><S><?><C>", "<T0110" + strings.Repeat("0001", 8) + "><S><?>", "<W0E00><V0E>",
		"<L02><S><A><B>", "<G><E0C081F101600><G><E0C0D1F101600>", "<M0032><O><U><P>", "<M1389><M>",
		"<U><X120901 0000><X120902 0002><X120902 0003><Y120902.DAT><U>", "<X120902G0000><X120902 000G>",
		"<F><J0001><?><Q>", "<J01><Q>", "<R>", "<<>>", "<V0", "<Y120906.DAT>", "<X120906 0000>\xff<Z>",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, requests string, first bool) {
		cfg := Config{Generation: V2, Files: []int{0, 5000}}
		if first {
			cfg.Generation = V1
		}
		m := New(cfg)
		var p parser
		answers := 0
		for _, b := range []byte(requests) {
			request, ok := p.feed(b)
			if !ok {
				continue
			}
			answer := m.execute(m.epoch, request)
			if answer == "" {
				continue
			}
			answers++
			answer, whole := strings.CutSuffix(answer, "\n\r")
			if request != "" && (request[0] == 'X' || request[0] == 'B') {
				if len(answer) > 2048 && request[0] == 'X' {
					t.Errorf("%q answered with %d bytes", request, len(answer))
				}
				continue
			}
			if !whole {
				t.Errorf("%q answered %q without a line end", request, answer)
			}
			if inside := strings.TrimSuffix(strings.TrimPrefix(answer, "<"), ">"); len(inside) != len(answer)-2 ||
				strings.Trim(inside, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ:./") != "" {
				t.Errorf("%q answered %q", request, answer)
			}
		}
		if answers > strings.Count(requests, ">") {
			t.Errorf("%d answers to %q", answers, requests)
		}
		if got := m.execute(m.epoch, "?"); !strings.HasPrefix(got, "<POWERSPY") || len(got) != 25 {
			t.Errorf("afterwards the identity is %q", got)
		}
	})
}
