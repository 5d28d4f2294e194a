package powerspy

import (
	"fmt"
	"slices"
)

// A damaged digit of an answer is a digit none the less, and nothing in the
// protocol tells. What matters is therefore read until two readings agree.

// readings is how often a value is read before the meter is given up.
const readings = 5

// agree reads a value until a reading is the same as an earlier one, or as one
// that is known. It returns all of them; the last is the one that agrees. ok
// is false if none does.
func agree[T any](known []T, same func(a, b T) bool, read func() (T, error)) (seen []T, ok bool, err error) {
	seen = slices.Clone(known)
	for range readings {
		v, err := read()
		if err != nil {
			return nil, false, err
		}
		ok = slices.ContainsFunc(seen, func(u T) bool { return same(u, v) })
		seen = append(seen, v)
		if ok {
			break
		}
	}
	return seen, ok, nil
}

// disagreement is the error of a value of which no two readings agree.
func disagreement(last []byte) error {
	return newAnswerError(last, fmt.Sprintf("no two of %d readings agree", readings))
}
