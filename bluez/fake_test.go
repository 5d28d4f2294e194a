package bluez

import (
	"maps"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"powerspy2/bdaddr"
)

// A fakeBluez is org.bluez on a test's bus. As the real one it does one thing
// at a time, so that its answers and its signals are in one order.
type fakeBluez struct {
	t    *testing.T
	conn *dbus.Conn
	in   chan *dbus.Message
	jobs chan func()
	stop chan struct{}
	left sync.Once
	done sync.WaitGroup

	// All below belongs to the one goroutine; tests reach it with do.
	objects  map[dbus.ObjectPath]map[string]map[string]dbus.Variant
	handlers map[string]func(*fakeCall)
	calls    []string                // members called, in order
	replies  map[uint32]func(answer) // to calls of the fake's own
	agents   map[string]dbus.ObjectPath
	defaults []string // clients whose agent is the default one
	profiles map[string]*fakeProfile
	filter   map[string]dbus.Variant
	finders  map[string]bool // clients that discover
}

type fakeProfile struct {
	path    dbus.ObjectPath
	uuid    string
	options map[string]dbus.Variant
}

// An answer is what a call of the fake's own came to.
type answer struct {
	body []any
	name string // of the error
}

// A fakeCall is a call to the fake, to be answered by reply or fail, at any
// time or never.
type fakeCall struct {
	f      *fakeBluez
	sender string
	path   dbus.ObjectPath
	member string
	body   []any
	serial uint32
}

// startFake puts a fake BlueZ with one adapter, hci0, on the bus.
func startFake(t *testing.T, b *testBus) *fakeBluez {
	t.Helper()
	f := &fakeBluez{
		t:        t,
		conn:     b.connect(t),
		in:       make(chan *dbus.Message, 1000),
		jobs:     make(chan func()),
		stop:     make(chan struct{}),
		objects:  make(map[dbus.ObjectPath]map[string]map[string]dbus.Variant),
		replies:  make(map[uint32]func(answer)),
		agents:   make(map[string]dbus.ObjectPath),
		profiles: make(map[string]*fakeProfile),
		finders:  make(map[string]bool),
	}
	f.handlers = f.defaultHandlers()
	f.objects["/org/bluez"] = map[string]map[string]dbus.Variant{"org.bluez.AgentManager1": {}, "org.bluez.ProfileManager1": {}}
	f.objects["/org/bluez/hci0"] = fakeAdapter("00:1A:7D:DA:71:13")
	reply, err := f.conn.RequestName("org.bluez", dbus.NameFlagDoNotQueue)
	if err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("RequestName: %v, %v", reply, err)
	}
	f.conn.Eavesdrop(f.in)
	f.done.Add(1)
	go f.run()
	t.Cleanup(f.leave)
	return f
}

// leave takes the fake off the bus, as a daemon that is killed.
func (f *fakeBluez) leave() {
	f.left.Do(func() { close(f.stop) })
	f.done.Wait()
	// godbus would still send on the channel, which Close closes.
	f.conn.Eavesdrop(nil)
	_ = f.conn.Close() // the bus may be gone
}

func (f *fakeBluez) run() {
	defer f.done.Done()
	for {
		select {
		case <-f.stop:
			return
		case job := <-f.jobs:
			job()
		case m, ok := <-f.in:
			if !ok {
				return
			}
			f.handle(m)
		}
	}
}

// do runs job as the fake.
func (f *fakeBluez) do(job func()) {
	f.t.Helper()
	done := make(chan struct{})
	select {
	case f.jobs <- func() { job(); close(done) }:
		<-done
	case <-f.stop:
		f.t.Error("the fake has left")
	}
}

// on replaces the handler of a method.
func (f *fakeBluez) on(member string, handler func(*fakeCall)) {
	f.t.Helper()
	f.do(func() { f.handlers[member] = handler })
}

// called returns how often a method was called.
func (f *fakeBluez) called(member string) (n int) {
	f.t.Helper()
	f.do(func() {
		for _, c := range f.calls {
			if c == member {
				n++
			}
		}
	})
	return n
}

func (f *fakeBluez) handle(m *dbus.Message) {
	switch m.Type {
	case dbus.TypeMethodCall:
		c := &fakeCall{f: f, body: m.Body, serial: m.Serial()}
		c.sender, _ = m.Headers[dbus.FieldSender].Value().(string)
		c.path, _ = m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
		c.member, _ = m.Headers[dbus.FieldMember].Value().(string)
		f.calls = append(f.calls, c.member)
		handler, ok := f.handlers[c.member]
		if !ok {
			c.fail("org.freedesktop.DBus.Error.UnknownMethod", "no "+c.member)
			return
		}
		handler(c)
	case dbus.TypeMethodReply, dbus.TypeError:
		serial, _ := m.Headers[dbus.FieldReplySerial].Value().(uint32)
		if then, ok := f.replies[serial]; ok {
			delete(f.replies, serial)
			a := answer{body: m.Body}
			a.name, _ = m.Headers[dbus.FieldErrorName].Value().(string)
			then(a)
		}
	}
}

func (c *fakeCall) send(kind dbus.Type, headers map[dbus.HeaderField]dbus.Variant, body []any) {
	headers[dbus.FieldDestination] = dbus.MakeVariant(c.sender)
	headers[dbus.FieldReplySerial] = dbus.MakeVariant(c.serial)
	if len(body) > 0 {
		headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	call := c.f.conn.Send(&dbus.Message{Type: kind, Headers: headers, Body: body}, nil)
	if call.Err != nil {
		c.f.t.Errorf("answer to %s: %v", c.member, call.Err)
	}
}

func (c *fakeCall) reply(body ...any) {
	c.send(dbus.TypeMethodReply, map[dbus.HeaderField]dbus.Variant{}, body)
}

func (c *fakeCall) fail(name, message string) {
	c.send(dbus.TypeError, map[dbus.HeaderField]dbus.Variant{dbus.FieldErrorName: dbus.MakeVariant(name)}, []any{message})
}

// ask calls a method of a client's, as the fake. then gets the answer, later.
func (f *fakeBluez) ask(then func(answer), dest string, object dbus.ObjectPath, method string, args ...any) {
	iface, member := method[:strings.LastIndex(method, ".")], method[strings.LastIndex(method, ".")+1:]
	m := &dbus.Message{
		Type: dbus.TypeMethodCall,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(dest),
			dbus.FieldPath:        dbus.MakeVariant(object),
			dbus.FieldInterface:   dbus.MakeVariant(iface),
			dbus.FieldMember:      dbus.MakeVariant(member),
		},
		Body: args,
	}
	if len(args) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(args...))
	}
	call := f.conn.Send(m, make(chan *dbus.Call, 1))
	if call.Err != nil {
		f.t.Errorf("%s: %v", member, call.Err)
	}
	f.replies[m.Serial()] = then
}

// emit sends a signal.
func (f *fakeBluez) emit(object dbus.ObjectPath, name string, args ...any) {
	if err := f.conn.Emit(object, name, args...); err != nil {
		f.t.Errorf("emit %s: %v", name, err)
	}
}

// appear adds an object.
func (f *fakeBluez) appear(object dbus.ObjectPath, interfaces map[string]map[string]dbus.Variant) {
	f.objects[object] = interfaces
	f.emit("/", "org.freedesktop.DBus.ObjectManager.InterfacesAdded", object, interfaces)
}

// vanish removes an object.
func (f *fakeBluez) vanish(object dbus.ObjectPath) {
	names := []string{}
	for name := range f.objects[object] {
		names = append(names, name)
	}
	delete(f.objects, object)
	f.emit("/", "org.freedesktop.DBus.ObjectManager.InterfacesRemoved", object, names)
}

// change changes properties; those named in ceased go.
func (f *fakeBluez) change(object dbus.ObjectPath, iface string, values map[string]dbus.Variant, ceased ...string) {
	if values == nil {
		values = map[string]dbus.Variant{}
	}
	if f.objects[object][iface] == nil {
		f.objects[object][iface] = map[string]dbus.Variant{}
	}
	maps.Copy(f.objects[object][iface], values)
	for _, name := range ceased {
		delete(f.objects[object][iface], name)
	}
	if ceased == nil {
		ceased = []string{}
	}
	f.emit(object, "org.freedesktop.DBus.Properties.PropertiesChanged", iface, values, ceased)
}

func fakeAdapter(address string) map[string]map[string]dbus.Variant {
	return map[string]map[string]dbus.Variant{"org.bluez.Adapter1": variants(map[string]any{
		"Address": address, "AddressType": "public", "Name": "bench", "Alias": "bench",
		"Class": uint32(0x10c), "Powered": true, "Discoverable": false, "DiscoverableTimeout": uint32(180),
		"Pairable": false, "PairableTimeout": uint32(0), "Discovering": false,
		"UUIDs": []string{"0000110e-0000-1000-8000-00805f9b34fb"}, "Modalias": "usb:v1D6Bp0246d0542",
	})}
}

// fakeDevice has the properties that an old device was seen to have when it
// appeared in a discovery with BlueZ 5.66.
func fakeDevice(adapter, address string) map[string]map[string]dbus.Variant {
	return map[string]map[string]dbus.Variant{"org.bluez.Device1": variants(map[string]any{
		"Address": address, "AddressType": "public", "Alias": strings.ReplaceAll(address, ":", "-"),
		"Class": uint32(0x1f00), "RSSI": int16(-52), "Paired": false, "Bonded": false, "Trusted": false,
		"Blocked": false, "LegacyPairing": true, "Connected": false, "UUIDs": []string{},
		"Adapter": dbus.ObjectPath("/org/bluez/" + adapter), "ServicesResolved": false,
	})}
}

func variants(values map[string]any) map[string]dbus.Variant {
	out := make(map[string]dbus.Variant, len(values))
	for name, v := range values {
		out[name] = dbus.MakeVariant(v)
	}
	return out
}

// Devices of the tests.
const (
	meterPath   = dbus.ObjectPath("/org/bluez/hci0/dev_00_0B_CE_07_1D_32")
	otherPath   = dbus.ObjectPath("/org/bluez/hci0/dev_00_0B_CE_00_00_01")
	meterString = "00:0B:CE:07:1D:32"
	otherString = "00:0B:CE:00:00:01"
	device1     = "org.bluez.Device1"
	adapter1    = "org.bluez.Adapter1"
)

var (
	meterAddress = mustParse(meterString)
	otherAddress = mustParse(otherString)
)

func mustParse(s string) bdaddr.Address {
	a, err := bdaddr.Parse(s)
	if err != nil {
		panic(err)
	}
	return a
}

// defaultHandlers does what BlueZ does, as far as these tests need it.
func (f *fakeBluez) defaultHandlers() map[string]func(*fakeCall) {
	known := func(handler func(*fakeCall)) func(*fakeCall) {
		return func(c *fakeCall) {
			if _, ok := f.objects[c.path]; !ok {
				c.fail("org.freedesktop.DBus.Error.UnknownObject", "Method \""+c.member+"\" doesn't exist")
				return
			}
			handler(c)
		}
	}
	return map[string]func(*fakeCall){
		"GetManagedObjects": func(c *fakeCall) { c.reply(f.objects) },
		"GetAll":            known(func(c *fakeCall) { c.reply(f.objects[c.path][c.body[0].(string)]) }),
		"Set": known(func(c *fakeCall) {
			iface, name := c.body[0].(string), c.body[1].(string)
			f.change(c.path, iface, map[string]dbus.Variant{name: c.body[2].(dbus.Variant)})
			c.reply()
		}),
		"SetDiscoveryFilter": known(func(c *fakeCall) {
			f.filter = c.body[0].(map[string]dbus.Variant)
			c.reply()
		}),
		"StartDiscovery": known(func(c *fakeCall) {
			if !f.objects[c.path][adapter1]["Powered"].Value().(bool) {
				c.fail("org.bluez.Error.NotReady", "Resource Not Ready")
				return
			}
			if f.finders[c.sender] {
				c.fail("org.bluez.Error.InProgress", "Operation already in progress")
				return
			}
			f.finders[c.sender] = true
			c.reply()
		}),
		"StopDiscovery": known(func(c *fakeCall) {
			if !f.finders[c.sender] {
				c.fail("org.bluez.Error.Failed", "No discovery started")
				return
			}
			delete(f.finders, c.sender)
			c.reply()
		}),
		"RemoveDevice": known(func(c *fakeCall) {
			device := c.body[0].(dbus.ObjectPath)
			if _, ok := f.objects[device]; !ok || path.Dir(string(device)) != string(c.path) {
				c.fail("org.bluez.Error.DoesNotExist", "Does Not Exist")
				return
			}
			f.vanish(device)
			c.reply()
		}),
		"Disconnect": known(func(c *fakeCall) {
			if !f.objects[c.path][device1]["Connected"].Value().(bool) {
				c.fail("org.bluez.Error.NotConnected", "Not Connected")
				return
			}
			f.change(c.path, device1, variants(map[string]any{"Connected": false}))
			c.reply()
		}),
		"CancelPairing": known(func(c *fakeCall) { c.fail("org.bluez.Error.DoesNotExist", "Does Not Exist") }),
		"RegisterAgent": func(c *fakeCall) {
			if _, ok := f.agents[c.sender]; ok {
				c.fail("org.bluez.Error.AlreadyExists", "Already Exists")
				return
			}
			f.agents[c.sender] = c.body[0].(dbus.ObjectPath)
			c.reply()
		},
		"UnregisterAgent": func(c *fakeCall) {
			if f.agents[c.sender] != c.body[0].(dbus.ObjectPath) {
				c.fail("org.bluez.Error.DoesNotExist", "Does Not Exist")
				return
			}
			delete(f.agents, c.sender)
			c.reply()
		},
		"RequestDefaultAgent": func(c *fakeCall) {
			f.defaults = append(f.defaults, c.sender)
			c.reply()
		},
		"RegisterProfile": func(c *fakeCall) {
			uuid := c.body[1].(string)
			for _, p := range f.profiles {
				if p.uuid == uuid {
					c.fail("org.bluez.Error.NotPermitted", "UUID already registered")
					return
				}
			}
			f.profiles[c.sender] = &fakeProfile{c.body[0].(dbus.ObjectPath), uuid, c.body[2].(map[string]dbus.Variant)}
			c.reply()
		},
		"UnregisterProfile": func(c *fakeCall) {
			delete(f.profiles, c.sender)
			c.reply()
		},
	}
}
