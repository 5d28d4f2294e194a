package sim

import (
	"errors"
	"sync"
	"time"
)

// Errors with which serving a connection ends or does not begin.
var (
	ErrBusy    = errors.New("meter is connected to another client")
	ErrDropped = errors.New("link dropped by a simulated fault")
	ErrAway    = errors.New("simulated meter is out of reach")
)

// A Meter is a simulated PowerSpy2. Its methods may be called by several
// goroutines at once.
type Meter struct {
	cfg   Config
	scale Calibration // What a count is worth in this hardware.
	rnd   random
	mains *mains
	load  load
	tape  *tape // What is measured instead, or nil.
	shape shape
	epoch time.Time // Second 0 of mains and load.

	slot chan struct{} // Holds a token while a connection is served.

	mu        sync.Mutex // Serialises everything below: the state that commands, the senders of frames and tests share.
	eeprom    *EEPROM
	clock     clock
	card      *card
	log       *log // nil unless logging.
	trigger   trigger
	length    int // Of a capture, in mains periods.
	capture   capture
	stream    *realtime   // nil unless in real-time mode.
	past      []*realtime // The last streams, with the one that runs.
	streams   int
	answers   uint64 // Counts answers, for their random delays.
	faults    Faults
	eras      []era // Never empty.
	silent    bool
	hung      bool
	session   *session      // The connection being served, or nil.
	waiting   int           // How many connections want its place.
	advanced  time.Duration // Since epoch: up to here, spells have done what they do.
	cycled    time.Duration // Since epoch: the last PowerCycle.
	incidents []record
}

// New returns a meter that has just been switched on. It panics if cfg does
// not pass Config.Validate.
func New(cfg Config) *Meter {
	if err := cfg.Validate(); err != nil {
		panic("sim: " + err.Error())
	}
	cfg = cfg.withDefaults()
	rnd := random(cfg.Seed)
	m := &Meter{
		cfg:    cfg,
		scale:  cfg.Current,
		rnd:    rnd,
		mains:  newMains(cfg.Frequency, cfg.Drift, rnd),
		shape:  newShape(cfg.PF),
		epoch:  time.Now(),
		slot:   make(chan struct{}, 1),
		eeprom: newEEPROM(&cfg),
		// Before anything that begins with the meter.
		advanced: -1,
		cycled:   -1,
	}
	m.load = newLoad(&cfg, rnd, m.epoch)
	m.beginEra(m.epoch, cfg.Faults)
	if cfg.Replay != nil {
		m.tape = newTape(cfg.Replay, &cfg)
		m.load = constant(m.tape.mean)
	}
	if !m.scale.sane() {
		m.scale = cfg.Factory
	}
	m.clock = clock{set: m.epoch.UTC(), at: m.epoch}
	m.card = newCard(cfg.Files)
	if cfg.Field != nil && len(cfg.Files) == 0 {
		m.card = cfg.Field.card()
	}
	m.reset(m.epoch)
	return m
}

// Config returns what the meter was made with, defaults filled in.
func (m *Meter) Config() Config { return m.cfg }

// EEPROM returns a copy of the EEPROM.
func (m *Meter) EEPROM() EEPROM {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.eeprom
}

// SetEEPROM replaces the EEPROM's content. What a count is worth does not
// follow the scales in it: those only say what the client takes it for.
func (m *Meter) SetEEPROM(e EEPROM) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.eeprom = &e
}

// Measuring reports whether the meter is in real-time mode.
func (m *Meter) Measuring() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stream != nil
}

// Connected reports whether a connection is being served.
func (m *Meter) Connected() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session != nil
}

// reset puts the volatile state as after switching on.
func (m *Meter) reset(now time.Time) {
	m.stopStream(now)
	m.writeLog(now)
	m.log = nil
	m.trigger = trigger{}
	m.length = 1
	m.capture = capture{}
}

func (m *Meter) now() time.Time { return time.Now() }

// seconds and time convert between times and seconds since the epoch.
func (m *Meter) seconds(t time.Time) float64 { return t.Sub(m.epoch).Seconds() }

func (m *Meter) time(seconds float64) time.Time {
	const never = 9e9 // What is later, or never, is in 285 years.
	return m.epoch.Add(time.Duration(min(seconds, never) * float64(time.Second)))
}

// wakeLocked has the sender of the open connection look again at what is due.
func (m *Meter) wakeLocked() {
	if m.session != nil {
		m.session.wakeUp()
	}
}
