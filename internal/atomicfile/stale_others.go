//go:build !unix

package atomicfile

import "os"

func hold(*os.File) {}

func sweep(string) {}
