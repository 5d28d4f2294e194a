package bluez

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"
)

// objects mirrors the objects of BlueZ that matter here.
type objects struct {
	adapters map[dbus.ObjectPath]Adapter
	devices  map[dbus.ObjectPath]Device
}

func newObjects() *objects {
	return &objects{
		adapters: make(map[dbus.ObjectPath]Adapter),
		devices:  make(map[dbus.ObjectPath]Device),
	}
}

// objects reads the objects of BlueZ. It also says where the answer stands
// among the signals: those before it have nothing to add.
func (c *Client) objects(ctx context.Context) (*objects, dbus.Sequence, error) {
	const method = objectManagerInterface + ".GetManagedObjects"
	body, seq, err := c.do(ctx, bluezName, "/", method)
	if err != nil {
		return nil, 0, err
	}
	managed, err := only[map[dbus.ObjectPath]map[string]map[string]dbus.Variant](body, "GetManagedObjects")
	if err != nil {
		return nil, 0, err
	}
	o := newObjects()
	for path, interfaces := range managed {
		if _, err := o.add(path, interfaces); err != nil {
			return nil, 0, err
		}
	}
	return o, seq, nil
}

// add takes over the interfaces of an object that appeared.
func (o *objects) add(path dbus.ObjectPath, interfaces map[string]map[string]dbus.Variant) ([]Event, error) {
	var events []Event
	if values, ok := interfaces[adapterInterface]; ok {
		if id, ok := adapterID(path); ok {
			a := Adapter{ID: id}
			if err := a.update(values); err != nil {
				return nil, err
			}
			o.adapters[path] = a
			events = append(events, Event{Kind: AdapterAdded, Adapter: a})
		}
	}
	if values, ok := interfaces[deviceInterface]; ok {
		if id, ok := deviceAdapter(path); ok {
			d := Device{Adapter: id}
			if err := d.update(values); err != nil {
				return nil, err
			}
			o.devices[path] = d
			events = append(events, Event{Kind: DeviceAdded, Device: d})
		}
	}
	return events, nil
}

// remove drops the interfaces of an object that vanished.
func (o *objects) remove(path dbus.ObjectPath, interfaces []string) []Event {
	var events []Event
	for _, iface := range interfaces {
		switch iface {
		case adapterInterface:
			if a, ok := o.adapters[path]; ok {
				delete(o.adapters, path)
				events = append(events, Event{Kind: AdapterRemoved, Adapter: a})
			}
		case deviceInterface:
			if d, ok := o.devices[path]; ok {
				delete(o.devices, path)
				events = append(events, Event{Kind: DeviceRemoved, Device: d})
			}
		}
	}
	return events
}

// change takes over properties that changed, and drops those that ceased.
func (o *objects) change(path dbus.ObjectPath, iface string, values map[string]dbus.Variant, ceased []string) ([]Event, error) {
	changed := append(slices.Sorted(maps.Keys(values)), ceased...)
	switch iface {
	case adapterInterface:
		a, ok := o.adapters[path]
		if !ok {
			return nil, nil
		}
		if err := a.update(values); err != nil {
			return nil, err
		}
		o.adapters[path] = a
		return []Event{{Kind: AdapterChanged, Adapter: a, Changed: changed}}, nil
	case deviceInterface:
		d, ok := o.devices[path]
		if !ok {
			return nil, nil
		}
		if err := d.update(values); err != nil {
			return nil, err
		}
		d.forget(ceased)
		o.devices[path] = d
		return []Event{{Kind: DeviceChanged, Device: d, Changed: changed}}, nil
	}
	return nil, nil
}

// apply takes over a signal of BlueZ's.
func (o *objects) apply(s *dbus.Signal) ([]Event, error) {
	// The shapes are those of the D-Bus specification, "Standard Interfaces".
	switch s.Name {
	case objectManagerInterface + ".InterfacesAdded":
		if len(s.Body) == 2 {
			path, ok1 := s.Body[0].(dbus.ObjectPath)
			interfaces, ok2 := s.Body[1].(map[string]map[string]dbus.Variant)
			if ok1 && ok2 {
				return o.add(path, interfaces)
			}
		}
	case objectManagerInterface + ".InterfacesRemoved":
		if len(s.Body) == 2 {
			path, ok1 := s.Body[0].(dbus.ObjectPath)
			interfaces, ok2 := s.Body[1].([]string)
			if ok1 && ok2 {
				return o.remove(path, interfaces), nil
			}
		}
	case propertiesInterface + ".PropertiesChanged":
		if len(s.Body) == 3 {
			iface, ok1 := s.Body[0].(string)
			values, ok2 := s.Body[1].(map[string]dbus.Variant)
			ceased, ok3 := s.Body[2].([]string)
			if ok1 && ok2 && ok3 {
				return o.change(s.Path, iface, values, ceased)
			}
		}
	default:
		return nil, nil
	}
	return nil, fmt.Errorf("unexpected arguments of %s on %s", s.Name, s.Path)
}

// A subscription receives the signals of BlueZ and of its coming and going.
type subscription struct {
	c       *Client
	signals chan *dbus.Signal
	rules   int // how many of rules the bus was asked for
	once    sync.Once
	done    chan struct{}
}

// rules are the match rules of a subscription. They name sender and path so
// that nothing else on the bus wakes this process.
var rules = [...]string{
	"type='signal',sender='" + busName + "',interface='" + busName + "',member='NameOwnerChanged',arg0='" + bluezName + "'",
	"type='signal',sender='" + bluezName + "',interface='" + objectManagerInterface + "',path='/'",
	"type='signal',sender='" + bluezName + "',interface='" + propertiesInterface + "',path_namespace='" + string(rootPath) + "'",
}

// subscribe begins a subscription, which must be ended.
func (c *Client) subscribe(ctx context.Context) (*subscription, error) {
	// Signals that are not yet fetched queue up in the handler without bound,
	// the channel only saves it some work.
	s := &subscription{c: c, signals: make(chan *dbus.Signal, 64), done: make(chan struct{})}
	c.conn.Signal(s.signals)
	for _, rule := range rules {
		s.rules++
		if _, _, err := c.callBus(ctx, "AddMatch", rule); err != nil {
			s.end(ctx)
			return nil, err
		}
	}
	return s, nil
}

// end ends the subscription, also when ctx has ended.
func (s *subscription) end(ctx context.Context) {
	s.once.Do(func() { s.unsubscribe(ctx) })
}

func (s *subscription) unsubscribe(ctx context.Context) {
	close(s.done)
	s.c.conn.RemoveSignal(s.signals)
	ctx, cancel := s.c.cleanup(ctx)
	defer cancel()
	for _, rule := range rules[:s.rules] {
		// Fails when the rule never reached the bus, or the bus is gone. In
		// neither case is there anything left to remove.
		_, _, _ = s.c.callBus(ctx, "RemoveMatch", rule)
	}
}

// next waits for a signal.
func (s *subscription) next(ctx context.Context) (*dbus.Signal, error) {
	select {
	case signal, ok := <-s.signals:
		if !ok {
			return nil, s.c.gone()
		}
		return signal, nil
	case <-s.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ownerChange returns the new owner that a signal reports, "" for none. It is
// not ok for any other signal.
func ownerChange(s *dbus.Signal) (owner string, ok bool) {
	if s.Sender != busName || s.Name != busName+".NameOwnerChanged" || len(s.Body) != 3 {
		return "", false
	}
	if name, isString := s.Body[0].(string); !isString || name != bluezName {
		return "", false
	}
	owner, ok = s.Body[2].(string)
	return owner, ok
}
