package conformance

import (
	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
)

// What the suites have in common.
type (
	tester         = testrun.T
	group[F any]   = suite.Group[F]
	subtest[F any] = suite.Subtest[F]
	guard          = suite.Guard
)
