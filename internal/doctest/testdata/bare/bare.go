package bare

const Bare = 1

// DocumentedConst has a comment.
const DocumentedConst = 2

func Func() {}

type Type struct {
	Field           int
	DocumentedField int // has a comment
}

func (Type) Method() {}
