package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// An Order is that of the runs of several commands.
type Order int

const (
	// Interleaved runs each command once a round, every other round backwards: A B,
	// B A. What changes slowly meets all commands alike.
	Interleaved Order = iota

	// Sequential carries out all runs of a command before those of the next one.
	Sequential

	// Random runs each command once a round, in an order that is drawn for each.
	Random
)

var orders = [...]string{"interleaved", "sequential", "random"}

// Orders returns the names of the orders.
func Orders() []string { return slices.Clone(orders[:]) }

// String returns the name of the order.
func (o Order) String() string { return orders[o] }

// ParseOrder returns the order of a name.
func ParseOrder(s string) (Order, error) {
	if i := slices.Index(orders[:], s); i >= 0 {
		return Order(i), nil
	}
	return 0, fmt.Errorf("unknown order %q", s)
}

// Rounds says whether each round has a run of each command, so that the runs of a
// round can be compared with each other.
func (o Order) Rounds() bool { return o != Sequential }

// A Step is one execution of the plan: a run or a warm-up.
type Step struct {
	Command int // index
	Round   int // from 0; of a warm-up: its number
	Warmup  bool
	Attempt int // 0; more where the run is repeated since it was not measured as a whole
}

// Iteration returns what hyperfine puts into $HYPERFINE_ITERATION.
func (s Step) Iteration() string {
	if s.Warmup {
		return fmt.Sprintf("warmup-%d", s.Round)
	}
	return fmt.Sprint(s.Round)
}

// round returns the order of so many commands in a round, counted from 0.
func (o Order) round(commands, round int, seed uint64) []int {
	list := make([]int, commands)
	for i := range list {
		list[i] = i
	}
	switch {
	case o == Random:
		// Each round by itself, so that it does not depend on what came before.
		rnd := rand.New(rand.NewPCG(seed, uint64(round)))
		rnd.Shuffle(commands, func(i, j int) { list[i], list[j] = list[j], list[i] })
	case o == Interleaved && round%2 == 1:
		slices.Reverse(list)
	}
	return list
}
