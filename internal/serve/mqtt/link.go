package mqtt

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"powerspy2/internal/harmless"
)

// A link reports the state of the broker: once that it is away, whatever fails
// after that, and once that it is back. All meters share it.
type link struct {
	broker string
	tell   func(string)

	mu   sync.Mutex
	away bool      // and told
	last time.Time // when that was told
}

// seldom is the time between two outages that are told: where connections break
// again and again, as of two servers that publish one meter, not each is.
const seldom = time.Minute

// down takes note of a connection that broke or could not be made.
func (l *link) down(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away || !l.last.IsZero() && time.Since(l.last) < seldom {
		return
	}
	l.away, l.last = true, time.Now()
	why = harmless.Text(strings.Join(strings.Fields(why), " "))
	l.tell(fmt.Sprintf("the MQTT broker %s is away, and is tried again until it is back: %s", l.broker, why))
}

// up takes note of a connection.
func (l *link) up() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		l.away = false
		l.tell(fmt.Sprintf("the MQTT broker %s is back", l.broker))
	}
}
