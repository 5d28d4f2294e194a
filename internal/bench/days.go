package bench

// Days are two results of different days, compared.
type Days struct {
	Comparisons []Comparison // of the commands that both have, energy: the second one to the first
	Missing     []string     // commands that only one of them has
	Warnings    []string     // what else differs
}

// CompareDays compares the commands of the same name in two results, the second one to
// the first as its reference.
func CompareDays(first, second *Result) Days { return Days{} }
