package bluez

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
)

const rejected = "org.bluez.Error.Rejected"

// pairing makes the fake pair with the meter, whose PIN is "1234", as BlueZ
// does: it asks the caller's agent.
func (f *fakeBluez) pairing() {
	f.on("Pair", func(c *fakeCall) {
		device := f.objects[c.path][device1]
		switch {
		case device == nil:
			c.fail("org.freedesktop.DBus.Error.UnknownObject", "")
			return
		case device["Paired"].Value() == true:
			c.fail("org.bluez.Error.AlreadyExists", "Already Exists")
			return
		}
		f.ask(func(a answer) {
			if a.name != "" || len(a.body) != 1 || a.body[0] != "1234" {
				c.fail("org.bluez.Error.AuthenticationFailed", "Authentication Failed")
				return
			}
			f.change(c.path, device1, variants(map[string]any{"Paired": true}))
			c.reply()
		}, c.sender, f.agents[c.sender], "org.bluez.Agent1.RequestPinCode", c.path)
	})
}

// pin answers "1234", or whatever it is.
func pin(s string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s, nil }
}

func startPairing(t *testing.T) (*testBus, *fakeBluez, *Client) {
	t.Helper()
	b := startBus(t)
	f := startFake(t, b)
	f.pairing()
	f.do(func() {
		f.appear(meterPath, fakeDevice("hci0", meterString))
		f.appear(otherPath, fakeDevice("hci0", otherString))
	})
	return b, f, b.dial(t)
}

// checkNoAgent wants that no agent of the client is left.
func checkNoAgent(t *testing.T, f *fakeBluez, c *Client) {
	t.Helper()
	f.do(func() {
		if len(f.agents) != 0 {
			t.Errorf("agents left: %v", f.agents)
		}
	})
	// A new one can come.
	a, err := c.RegisterDefaultAgent(testContext(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func TestPair(t *testing.T) {
	_, f, c := startPairing(t)
	if err := c.Pair(testContext(t), "hci0", meterAddress, pin("1234")); err != nil {
		t.Fatal(err)
	}
	if n := f.called("RequestDefaultAgent"); n != 0 {
		t.Error("the agent of a pairing became the default one")
	}
	checkNoAgent(t, f, c)

	err := c.Pair(testContext(t), "hci0", meterAddress, pin("1234"))
	if !errors.Is(err, ErrAlreadyPaired) {
		t.Errorf("again: got %v, want ErrAlreadyPaired", err)
	}
	err = c.Pair(testContext(t), "hci0", mustParse("00:00:00:00:00:01"), pin("1234"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("unknown device: got %v, want os.ErrNotExist", err)
	}
	checkNoAgent(t, f, c)
}

func TestPairWrongPIN(t *testing.T) {
	_, f, c := startPairing(t)
	wrong := "987654"
	err := c.Pair(testContext(t), "hci0", meterAddress, pin(wrong))
	if !errors.Is(err, ErrAuthFailed) {
		t.Errorf("got %v, want ErrAuthFailed", err)
	}
	if strings.Contains(err.Error(), wrong) {
		t.Errorf("%v tells the PIN", err)
	}
	for _, bad := range []string{"", "01234567890123456", "12\x0034", "12\xff34"} {
		err := c.Pair(testContext(t), "hci0", meterAddress, pin(bad))
		if !errors.Is(err, errPIN) {
			t.Errorf("PIN %q: got %v, want %v", bad, err, errPIN)
		}
		if len(bad) > 0 && strings.Contains(err.Error(), bad) {
			t.Errorf("%v tells the PIN", err)
		}
	}
	mine := errors.New("the user went away")
	err = c.Pair(testContext(t), "hci0", meterAddress, func(context.Context) (string, error) { return "", mine })
	if !errors.Is(err, mine) {
		t.Errorf("got %v, want %v", err, mine)
	}
	checkNoAgent(t, f, c)
	if err := c.Pair(testContext(t), "hci0", meterAddress, pin("1234")); err != nil {
		t.Errorf("with the right PIN after all: %v", err)
	}
}

// The agent answers for the device being paired and for BlueZ, nobody else.
func TestPairOnlyTheDevice(t *testing.T) {
	b, f, c := startPairing(t)
	stranger := b.connect(t)
	asked := 0
	strange := make(chan error, 2)
	var answers []string
	f.on("Pair", func(call *fakeCall) {
		agent := f.agents[call.sender]
		questions := []struct {
			member string
			args   []any
		}{
			{"RequestPinCode", []any{otherPath}},
			{"RequestPinCode", []any{meterPath + "/x"}},
			{"RequestPasskey", []any{meterPath}},
			{"DisplayPinCode", []any{meterPath, "1234"}},
			{"DisplayPasskey", []any{meterPath, uint32(1), uint16(1)}},
			{"RequestConfirmation", []any{otherPath, uint32(1)}},
			{"RequestConfirmation", []any{meterPath + "/x", uint32(1)}},
			{"RequestAuthorization", []any{otherPath}},
			{"AuthorizeService", []any{meterPath, serialPortUUID}},
		}
		for i, q := range questions {
			f.ask(func(a answer) {
				answers = append(answers, a.name)
				if i < len(questions)-1 {
					return
				}
				// The agent stays until Pair is answered.
				go func() {
					object := stranger.Object(call.sender, agent)
					strange <- object.Call("org.bluez.Agent1.RequestPinCode", 0, meterPath).Err
					strange <- object.Call("org.bluez.Agent1.RequestConfirmation", 0, meterPath, uint32(1)).Err
					f.do(func() { call.reply() })
				}()
			}, call.sender, agent, "org.bluez.Agent1."+q.member, q.args...)
		}
	})
	err := c.Pair(testContext(t), "hci0", meterAddress, func(context.Context) (string, error) {
		asked++
		return "1234", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range cap(strange) {
		if err := <-strange; err == nil {
			t.Error("the agent answered a stranger")
		}
	}
	f.do(func() {
		if len(answers) != 9 {
			t.Fatalf("got %d answers, want 9", len(answers))
		}
		for i, name := range answers {
			if name != rejected {
				t.Errorf("question %d: got %q, want %s", i, name, rejected)
			}
		}
	})
	if asked != 0 {
		t.Errorf("the PIN was asked for %d times", asked)
	}
}

// A device that pairs by Secure Simple Pairing is confirmed, by whichever
// question, and no PIN is asked for.
func TestPairSimple(t *testing.T) {
	for _, question := range []string{"RequestConfirmation", "RequestAuthorization"} {
		t.Run(question, func(t *testing.T) {
			_, f, c := startPairing(t)
			var capability any
			f.do(func() {
				register := f.handlers["RegisterAgent"]
				f.handlers["RegisterAgent"] = func(call *fakeCall) { capability = call.body[1]; register(call) }
				f.handlers["Pair"] = func(call *fakeCall) {
					args := []any{meterPath}
					if question == "RequestConfirmation" {
						args = append(args, uint32(123456))
					}
					f.ask(func(a answer) {
						if a.name != "" {
							call.fail("org.bluez.Error.AuthenticationFailed", "Authentication Failed")
							return
						}
						call.reply()
					}, call.sender, f.agents[call.sender], "org.bluez.Agent1."+question, args...)
				}
			})
			err := c.Pair(testContext(t), "hci0", meterAddress, func(context.Context) (string, error) {
				t.Error("a PIN was asked for")
				return "1234", nil
			})
			if err != nil {
				t.Error(err)
			}
			f.do(func() {
				if capability != "NoInputNoOutput" {
					t.Errorf("the agent can do %v", capability)
				}
			})
			checkNoAgent(t, f, c)
		})
	}
}

func TestPairCancel(t *testing.T) {
	_, f, c := startPairing(t)
	var pairCall *fakeCall
	f.do(func() {
		pair := f.handlers["Pair"]
		f.handlers["Pair"] = func(call *fakeCall) { pairCall = call; pair(call) }
		f.handlers["CancelPairing"] = func(call *fakeCall) {
			call.reply()
			pairCall.fail("org.bluez.Error.AuthenticationCanceled", "Authentication Canceled")
		}
	})
	ctx, cancel := context.WithCancel(testContext(t))
	err := c.Pair(ctx, "hci0", meterAddress, func(ctx context.Context) (string, error) {
		cancel()
		<-ctx.Done()
		// Time for a Pair that does not wait for this to go on.
		for range 20 {
			if _, err := c.Adapters(testContext(t)); err != nil {
				t.Error(err)
			}
		}
		if f.called("UnregisterAgent") != 0 {
			t.Error("Pair did not wait for the PIN")
		}
		return "1234", ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if n := f.called("CancelPairing"); n != 1 {
		t.Errorf("CancelPairing called %d times", n)
	}
	checkNoAgent(t, f, c)

	// BlueZ cancels: because another program said so, or the link broke.
	f.do(func() {
		f.handlers["Pair"] = func(call *fakeCall) {
			agent := f.agents[call.sender]
			f.ask(func(a answer) {
				if a.name != "org.bluez.Error.Canceled" {
					t.Errorf("got %q, want Canceled", a.name)
				}
				call.fail("org.bluez.Error.AuthenticationCanceled", "Authentication Canceled")
			}, call.sender, agent, "org.bluez.Agent1.RequestPinCode", meterPath)
		}
	})
	err = c.Pair(testContext(t), "hci0", meterAddress, func(ctx context.Context) (string, error) {
		f.do(func() {
			for client, agent := range f.agents {
				f.ask(func(answer) {}, client, agent, "org.bluez.Agent1.Cancel")
			}
		})
		<-ctx.Done()
		return "", ctx.Err()
	})
	if !errors.Is(err, ErrAuthCanceled) {
		t.Errorf("got %v, want ErrAuthCanceled", err)
	}
}

func TestPairPageTimeout(t *testing.T) {
	_, f, c := startPairing(t)
	f.on("Pair", func(call *fakeCall) { call.fail("org.bluez.Error.ConnectionAttemptFailed", "Page Timeout") })
	if err := c.Pair(testContext(t), "hci0", meterAddress, pin("1234")); !errors.Is(err, ErrPageTimeout) {
		t.Errorf("got %v, want ErrPageTimeout", err)
	}
}

// One agent a client: BlueZ has it so.
func TestPairBusy(t *testing.T) {
	_, f, c := startPairing(t)
	err := c.Pair(testContext(t), "hci0", meterAddress, func(ctx context.Context) (string, error) {
		if err := c.Pair(ctx, "hci0", otherAddress, pin("1234")); !errors.Is(err, ErrInProgress) {
			t.Errorf("second Pair: got %v, want ErrInProgress", err)
		}
		return "1234", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	checkNoAgent(t, f, c)
}

func TestPairDaemonVanishes(t *testing.T) {
	_, f, c := startPairing(t)
	err := c.Pair(testContext(t), "hci0", meterAddress, func(ctx context.Context) (string, error) {
		f.leave()
		<-ctx.Done()
		return "", ctx.Err()
	})
	if !errors.Is(err, ErrNoDaemon) {
		t.Errorf("got %v, want ErrNoDaemon", err)
	}
}
