package testrun

import "testing"

// T is what a suite needs of *testing.T. [Of] and [Record] make one.
type T interface {
	testing.TB
	Run(name string, f func(t T)) bool
}

// Of returns t as a [T].
func Of(t *testing.T) T { return goTest{t} }

type goTest struct{ *testing.T }

func (t goTest) Run(name string, f func(t T)) bool {
	t.Helper()
	return t.T.Run(name, func(t *testing.T) { f(goTest{t}) })
}
