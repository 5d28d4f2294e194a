package bench

// ReadUpTo reads a result of so many bytes at most.
var ReadUpTo = read
