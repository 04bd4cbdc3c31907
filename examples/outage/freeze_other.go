//go:build !unix

package main

import (
	"errors"
	"os"
)

func freeze(*os.Process) error {
	return errors.New("this example needs Unix signals: it stops a process to see whether it is inside a transaction")
}

func thaw(*os.Process) error { return nil }
