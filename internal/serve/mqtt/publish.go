package mqtt

import (
	"context"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"powerspy2/internal/serve/totals"
	"powerspy2/measure"
)

// A Publisher publishes what meters measure.
type Publisher struct {
	config Config
	link   link
	meters []*publication
	cancel context.CancelFunc
}

// New returns a Publisher. Nothing is connected yet.
func New(c Config) *Publisher {
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	return &Publisher{config: c, link: link{broker: c.URL.Host, tell: c.Tell}}
}

// Sink returns what takes the events of a meter to publish, after its Totals did.
// It comes before Start.
func (p *Publisher) Sink(m totals.Meter) measure.Sink {
	level := prefix + Level(m.Name)
	pub := &publication{
		config: &p.config, link: &p.link, meter: m,
		topics:  topics{reading: level + "/reading", state: level + "/state"},
		reading: make(chan []byte, 1), announce: make(chan struct{}, 1), finished: make(chan struct{}),
	}
	p.meters = append(p.meters, pub)
	return pub.readings()
}

// Start begins to publish. It does not wait for the broker.
func (p *Publisher) Start() error {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	for i, m := range p.meters {
		if err := m.connect(ctx); err != nil {
			cancel()
			for _, begun := range p.meters[:i] {
				begun.hangUp()
				<-begun.finished
			}
			return err
		}
		go m.run(ctx)
	}
	return nil
}

// Stop says of all meters that they are offline, and ends the connections. ctx
// bounds it: what is left of them then ends by itself.
func (p *Publisher) Stop(ctx context.Context) {
	p.cancel()
	var ending sync.WaitGroup
	for _, m := range p.meters {
		ending.Go(func() { m.end(ctx) })
	}
	ended := make(chan struct{})
	go func() {
		ending.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// topics of a meter.
type topics struct{ reading, state string }

// A publication is that of one meter, over a connection of its own.
type publication struct {
	config *Config
	link   *link
	meter  totals.Meter
	topics topics

	reading  chan []byte   // the last one, to be published
	announce chan struct{} // all is to be published that is retained
	finished chan struct{} // closed when nothing more is published

	client  *autopaho.ConnectionManager
	hangUp  context.CancelFunc // ends the connection at once
	ready   atomic.Bool        // the broker is there
	state   string             // published last; "": not since the connection was made
	known   totals.Identity    // what Home Assistant was told last
	settled bool               // it was told anything
}

const (
	// keepAlive is within what time a connection that broke is noticed, in s.
	keepAlive = 20

	// answerTime bounds how long the broker takes to take a message.
	answerTime = 5 * time.Second

	// stateEvery is how often a meter is asked whether it is up.
	stateEvery = 250 * time.Millisecond

	// pauses between two attempts to connect.
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// connect begins to connect, again and again until the end.
func (p *publication) connect(ctx context.Context) (err error) {
	// Its context outlives ctx: offline is published after the end.
	own, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	p.hangUp = hangUp
	var tried atomic.Bool
	p.client, err = autopaho.NewConnection(own, autopaho.ClientConfig{
		ServerUrls: []*url.URL{p.config.broker()}, TlsCfg: p.config.tls(),
		KeepAlive: keepAlive, CleanStartOnInitialConnection: true,
		ConnectUsername: p.config.URL.User.Username(), ConnectPassword: []byte(p.config.Password),
		WillMessage: &paho.WillMessage{Topic: p.topics.state, Payload: []byte(offline), QoS: 1, Retain: true},
		ReconnectBackoff: func(attempt int) time.Duration {
			if !tried.Swap(true) {
				return 0
			}
			pause := min(firstPause<<min(attempt, 10), longestPause)
			return pause/2 + rand.N(pause/2)
		},
		OnConnectionUp: func(*autopaho.ConnectionManager, *paho.Connack) {
			p.ready.Store(true)
			p.link.up()
			p.renew()
		},
		OnConnectionDown: func() bool {
			p.ready.Store(false)
			if ctx.Err() == nil {
				p.link.down("the connection broke")
			}
			return ctx.Err() == nil
		},
		OnConnectError: func(err error) {
			if ctx.Err() == nil {
				p.link.down(err.Error())
			}
		},
		ClientConfig: paho.ClientConfig{
			ClientID: clientID(p.meter.Name),
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(r paho.PublishReceived) (bool, error) {
				if r.Packet.Topic == birth && string(r.Packet.Payload) == online {
					p.renew()
				}
				return true, nil
			}},
		},
	})
	if err != nil {
		hangUp()
	}
	return err
}

// renew has everything published again that is retained.
func (p *publication) renew() {
	select {
	case p.announce <- struct{}{}:
	default:
	}
}

// run publishes until ctx ends.
func (p *publication) run(ctx context.Context) {
	defer close(p.finished)
	look := time.NewTicker(stateEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.announce:
			p.settled, p.state = false, ""
			p.subscribe(ctx)
			p.introduce(ctx)
			p.tellState(ctx)
		case <-look.C:
			p.introduce(ctx)
			p.tellState(ctx)
		case payload := <-p.reading:
			// Before the first reading, not after it.
			p.introduce(ctx)
			p.tellState(ctx)
			p.publish(ctx, message{p.topics.reading, payload}, 0, false)
		}
	}
}

// subscribe asks for what Home Assistant says when it starts.
func (p *publication) subscribe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	// A broker that refuses lets others publish all the same.
	_, _ = p.client.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: birth, QoS: 1}}})
}

// introduce tells Home Assistant of a meter once it is known, and again when
// something about it has changed.
func (p *publication) introduce(ctx context.Context) {
	known := p.meter.Identity()
	if p.meter.Totals.Snapshot().Last.IsZero() || p.settled && known == p.known {
		return
	}
	list, err := discovery(&p.meter, p.topics, p.config.Version)
	if err != nil {
		return // no string fails
	}
	for _, m := range list {
		if !p.publish(ctx, m, 1, true) {
			return
		}
	}
	p.settled, p.known = true, known
}

// tellState publishes whether the meter measures, where that is news.
func (p *publication) tellState(ctx context.Context) {
	state := offline
	if p.meter.Totals.Snapshot().Up {
		state = online
	}
	if state != p.state && p.publish(ctx, message{p.topics.state, []byte(state)}, 1, true) {
		p.state = state
	}
}

// publish reports whether the broker has a message, as far as qos asks.
func (p *publication) publish(ctx context.Context, m message, qos byte, retain bool) bool {
	if !p.ready.Load() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	_, err := p.client.Publish(ctx, &paho.Publish{Topic: m.topic, Payload: m.payload, QoS: qos, Retain: retain})
	return err == nil
}

// end says that the meter is offline, and ends the connection; without that its
// will says the same.
func (p *publication) end(ctx context.Context) {
	defer p.hangUp()
	select {
	case <-p.finished: // nothing says online after this
	case <-ctx.Done():
		return
	}
	if p.publish(ctx, message{p.topics.state, []byte(offline)}, 1, true) {
		_ = p.client.Disconnect(ctx) // it ends in any case
	}
}
